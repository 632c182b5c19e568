#include "client/cli/view/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "proto/text/utf8.h"

int complain(struct complaint *complaint, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(complaint->text, sizeof(complaint->text), format, arguments);
	va_end(arguments);
	for (char *c = complaint->text; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = '?';
	return -EINVAL;
}

void text_escape(FILE *out, const char *text, const char *(*escape)(char c), bool guarded)
{
	size_t size = strlen(text), length;
	uint32_t code;

	for (; size > 0; text += length, size -= length) {
		const char *instead = escape ? escape(*text) : NULL;
		bool is_command;

		length = utf8_next(text, size, &code);
		is_command = length == 0 || (utf8_is_control(code) && code != '\n' && code != '\t');
		length = length ? length : 1;
		if (instead)
			fputs(instead, out);
		else if (guarded && is_command)
			fputc('?', out);
		else
			fwrite(text, 1, length, out);
	}
}

void text_print(FILE *out, const char *text)
{
	text_escape(out, text, NULL, /* guarded= */ true);
}

bool text_is_listed(const char *list, const char *word)
{
	size_t length = word ? strcspn(word, " ") : 0;

	for (const char *at = list; at && length > 0 && !word[length] && (at = strstr(at, word)); at += length)
		if ((at == list || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
	return !list;
}

bool text_ends(const char *text, const char *with)
{
	size_t length = strlen(text), end = strlen(with);

	return length > end && strcmp(text + length - end, with) == 0;
}

void text_flatten(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
}

static int code_width(uint32_t code)
{
	int width = wcwidth((wchar_t) code);

	return width < 0 ? 1 : width;
}

int text_width(const char *text)
{
	size_t size = strlen(text), length;
	uint32_t code;
	int width = 0;

	for (; size > 0; text += length, size -= length) {
		length = utf8_next(text, size, &code);
		width += length ? code_width(code) : 1;
		length = length ? length : 1;
	}
	return width;
}

size_t text_cut(const char *text, int width)
{
	size_t size = strlen(text), at = 0, length;
	uint32_t code;

	for (; at < size; at += length) {
		length = utf8_next(text + at, size - at, &code);
		width -= length ? code_width(code) : 1;
		if (width < 0)
			break;
		length = length ? length : 1;
	}
	return at;
}

void text_print_line(FILE *out, const char *text, int width)
{
	const bool is_cut = width > 0 && text_width(text) > width;
	char *line = is_cut ? strndup(text, text_cut(text, width > 3 ? width - 3 : 0)) : strdup(text);

	if (line) {
		text_flatten(line);
		text_print(out, line);
		fputs(is_cut ? "..." : "", out);
	}
	free(line);
}

void text_wrap(FILE *out, const char *text, int column, int width)
{
	const int room = width - column;

	while (width > 0 && text_width(text) > room) {
		size_t n = text_cut(text, room);

		while (n > 0 && text[n] != ' ')
			n--;
		if (n == 0)
			break;
		fprintf(out, "%.*s\n%*s", (int) n, text, column, "");
		text += n + 1;
	}
	fputs(text, out);
}

int terminal_width(FILE *file)
{
	struct winsize size;
	int fd = fileno(file);

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int terminal_lines(FILE *file)
{
	struct winsize size;

	return ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

void text_append(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	(void) vsnprintf(text + used, size - used, format, arguments);
	va_end(arguments);
}

const char *number_text(char *buffer, int64_t number)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%lld", (long long) number), k = 0;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
			buffer[k++] = ',';
		buffer[k++] = digits[i];
	}
	buffer[k] = '\0';
	return buffer;
}

const char *duration_text(char *buffer, double seconds)
{
	long long whole = seconds < 1e15 ? (long long) (seconds + 0.5) : 0;

	if (seconds < 9.95)
		snprintf(buffer, 32, seconds < 0.995 ? "%.2f s" : "%.1f s", seconds);
	else if (whole < 60)
		snprintf(buffer, 32, "%lld s", whole);
	else if (whole < 3600)
		snprintf(buffer, 32, "%lld:%02lld", whole / 60, whole % 60);
	else
		snprintf(buffer, 32, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
	return buffer;
}

const char *time_local_text(char *buffer, int64_t usec)
{
	time_t seconds = (time_t) (usec / 1000000);
	struct tm local;

	if (!localtime_r(&seconds, &local) ||
	    strftime(buffer, 32, "%Y-%m-%d %H:%M:%S", &local) == 0)
		*buffer = '\0';
	return buffer;
}

void text_position(const char *text, size_t offset, int *ret_line, int *ret_column)
{
	int line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if ((text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}
