#include "client/cli/files/tar.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCK 512
#define SIZE_MAX_OCTAL UINT64_C(077777777777)

/* As POSIX has it. */
struct header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char checksum[8];
	char type;
	char link[100];
	char magic[6], version[2];
	char user[32], group[32];
	char major[8], minor[8];
	char prefix[155];
	char rest[12];
};
static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* With blanks in the place of the sum itself. */
static unsigned checksum_of(const struct header *header)
{
	struct header summed = *header;
	const unsigned char *bytes = (const unsigned char *) &summed;
	unsigned sum = 0;

	memset(summed.checksum, ' ', sizeof(summed.checksum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += bytes[i];
	return sum;
}

static size_t padding_of(uint64_t size)
{
	return (size_t) ((BLOCK - size % BLOCK) % BLOCK);
}

/* ---- Writing ---- */

/* All digits but a NUL behind. */
static void write_octal(char *field, size_t size, uint64_t number)
{
	field[--size] = '\0';
	while (size > 0) {
		field[--size] = (char) ('0' + number % 8);
		number /= 8;
	}
}

static int write_header(FILE *archive, const char *name, uint64_t size)
{
	struct header header = { .type = '0' };

	snprintf(header.name, sizeof(header.name), "%s", name);
	write_octal(header.mode, sizeof(header.mode), 0600);
	write_octal(header.uid, sizeof(header.uid), 0);
	write_octal(header.gid, sizeof(header.gid), 0);
	write_octal(header.size, sizeof(header.size), size);
	write_octal(header.mtime, sizeof(header.mtime), (uint64_t) time(NULL) & SIZE_MAX_OCTAL);
	memcpy(header.magic, "ustar", 6);
	memcpy(header.version, "00", 2);
	write_octal(header.checksum, sizeof(header.checksum) - 1, checksum_of(&header));
	header.checksum[7] = ' ';
	return fwrite(&header, BLOCK, 1, archive) == 1 ? 0 : -EIO;
}

static int copy(FILE *from, FILE *to, uint64_t size)
{
	char buffer[65536];

	while (size > 0) {
		size_t want = size < sizeof(buffer) ? (size_t) size : sizeof(buffer);
		size_t n = fread(buffer, 1, want, from);

		if (n == 0)
			return ferror(from) ? -errno : -ENODATA;
		if (to && fwrite(buffer, 1, n, to) != n)
			return errno ? -errno : -EIO;
		size -= n;
	}
	return 0;
}

static int write_zeros(FILE *archive, size_t n)
{
	static const char zeros[2 * BLOCK];

	return fwrite(zeros, 1, n, archive) == n ? 0 : -EIO;
}

int tar_add(FILE *archive, const char *name, FILE *content)
{
	off_t size;
	int r;

	if (fflush(content) != 0 || fseeko(content, 0, SEEK_END) < 0 || (size = ftello(content)) < 0)
		return -errno;
	rewind(content);
	if ((uint64_t) size > SIZE_MAX_OCTAL)
		return -EFBIG;
	r = write_header(archive, name, (uint64_t) size);
	if (r == 0)
		r = copy(content, archive, (uint64_t) size);
	return r < 0 ? r : write_zeros(archive, padding_of((uint64_t) size));
}

int tar_end(FILE *archive)
{
	return write_zeros(archive, 2 * BLOCK);
}

/* ---- Reading ---- */

/* Octal digits, then blanks or NULs alone. */
static bool read_octal(const char *field, size_t size, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t i = 0;

	while (i < size && field[i] == ' ')
		i++;
	for (; i < size && field[i] >= '0' && field[i] <= '7'; i++)
		number = number * 8 + (uint64_t) (field[i] - '0');
	for (; i < size; i++)
		if (field[i] != ' ' && field[i] != '\0')
			return false;
	*ret_number = number;
	return true;
}

static bool is_empty(const struct header *header)
{
	const char *bytes = (const char *) header;

	for (size_t i = 0; i < BLOCK; i++)
		if (bytes[i])
			return false;
	return true;
}

static int look_at(const struct header *header, const char *path, struct tar_entry *ret_entry,
		   struct complaint *complaint)
{
	const char *name = strncmp(header->name, "./", 2) == 0 ? header->name + 2 : header->name;
	size_t room = sizeof(header->name) - (size_t) (name - header->name);
	uint64_t sum;

	if (memcmp(header->magic, "ustar", 5) != 0 ||
	    !read_octal(header->checksum, sizeof(header->checksum), &sum) || sum != checksum_of(header))
		return complain(complaint, "%s: expected a tar archive", path);
	snprintf(ret_entry->name, sizeof(ret_entry->name), "%.*s", (int) room, name);
	if (header->type != '0' && header->type != '\0')
		return complain(complaint, "%s: %s in it is no plain file", path, ret_entry->name);
	if (header->prefix[0] && memcmp(header->magic, "ustar\0", 6) == 0)
		return complain(complaint, "%s: %s in it is in a folder", path, ret_entry->name);
	if (!read_octal(header->size, sizeof(header->size), &ret_entry->size))
		return complain(complaint, "%s: the size of %s in it is no number", path, ret_entry->name);
	return 1;
}

int tar_next(FILE *archive, const char *path, struct tar_entry *ret_entry, struct complaint *complaint)
{
	struct header header;
	size_t n = fread(&header, 1, BLOCK, archive);

	if (ferror(archive))
		return complain(complaint, "%s: %s", path, strerror(errno));
	if (n < BLOCK)
		return complain(complaint, n ? "%s: expected a tar archive" : "%s: it ends too soon", path);
	return is_empty(&header) ? 0 : look_at(&header, path, ret_entry, complaint);
}

int tar_extract(FILE *archive, const char *path, const struct tar_entry *entry, FILE *into,
		struct complaint *complaint)
{
	int r = copy(archive, into, entry->size);

	if (r == 0)
		r = copy(archive, NULL, padding_of(entry->size));
	if (r == -ENODATA)
		return complain(complaint, "%s: it ends in the middle of %s", path, entry->name);
	return r < 0 ? complain(complaint, "%s: %s: %s", path, entry->name, strerror(-r)) : 0;
}
