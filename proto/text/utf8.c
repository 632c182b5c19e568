#include "proto/text/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

size_t utf8_next(const char *text, size_t size, uint32_t *ret_code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *at = (const unsigned char *) text;
	uint32_t code;
	size_t length;

	if (size == 0)
		return 0;
	if (at[0] < 0x80) {
		*ret_code = at[0];
		return 1;
	}
	length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (at[0] < 0xc2 || at[0] > 0xf4 || size < length)
		return 0;
	code = at[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fu);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

bool utf8_is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool utf8_valid(const char *text, size_t size, size_t *ret_offset)
{
	uint32_t code;

	for (size_t i = 0; i < size;) {
		uint64_t eight = UINT64_MAX;
		size_t length;

		if (size - i >= sizeof(eight))
			memcpy(&eight, text + i, sizeof(eight));
		if ((eight & UINT64_C(0x8080808080808080)) == 0) {
			i += sizeof(eight);
			continue;
		}
		length = utf8_next(text + i, size - i, &code);
		if (length == 0) {
			if (ret_offset)
				*ret_offset = i;
			return false;
		}
		i += length;
	}
	return true;
}

size_t utf8_length(const char *text, size_t size)
{
	size_t n = 0;
	uint32_t code;

	for (size_t i = 0; i < size; n++) {
		size_t length = utf8_next(text + i, size - i, &code);

		i += length ? length : 1;
	}
	return n;
}

size_t utf8_cut(const char *text, size_t size, size_t limit)
{
	size_t cut = limit;

	if (size <= limit)
		return size;
	// back to the start of the character that the limit is inside of
	while (cut > 0 && limit - cut < 4 && ((unsigned char) text[cut] & 0xc0) == 0x80)
		cut--;
	return ((unsigned char) text[cut] & 0xc0) == 0x80 ? limit : cut;
}

/* Length of what one U+FFFD stands for: the longest start of a valid character, at least 1. */
static size_t broken_length(const char *text, size_t size)
{
	const unsigned char *at = (const unsigned char *) text;
	size_t wanted = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	size_t length = 1;

	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 1;
	if (size > 1) {
		unsigned char low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
		unsigned char high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;

		if (at[1] < low || at[1] > high)
			return 1;
	}
	while (length < wanted && length < size && (at[length] & 0xc0) == 0x80)
		length++;
	return length;
}

int utf8_clean(const char *text, size_t size, char **ret_text, size_t *ret_size,
	       size_t *ret_replaced)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t replaced = 0, n = 0;
	uint32_t code;
	char *clean;

	if (size > (SIZE_MAX - 1) / 3)
		return -ENOMEM;
	// counted first: most texts have none to replace
	for (size_t i = 0; i < size;) {
		size_t length = utf8_next(text + i, size - i, &code);
		bool broken = length == 0 || code == 0;

		replaced += broken;
		i += length ? length : broken_length(text + i, size - i);
	}
	clean = malloc(size + replaced * 3 + 1);
	if (!clean)
		return -ENOMEM;
	for (size_t i = 0; i < size;) {
		size_t length = utf8_next(text + i, size - i, &code);

		if (length > 0 && code != 0) {
			memcpy(clean + n, text + i, length);
			n += length;
			i += length;
		} else {
			memcpy(clean + n, replacement, 3);
			n += 3;
			i += length ? length : broken_length(text + i, size - i);
		}
	}
	clean[n] = '\0';
	*ret_text = clean;
	*ret_size = n;
	*ret_replaced = replaced;
	return 0;
}
