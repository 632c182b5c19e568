/*
 * What ellu-disk-trace writes: one record an operation, in the order in which they were done.
 */
#pragma once

#include <stdint.h>

enum disk_op {
	DISK_CREATE, // the file is new; its name lasts once its folder is synced
	DISK_WRITE,
	DISK_TRUNCATE, // or lengthen: to `offset`
	DISK_SYNC, // a file's content, or a folder's names
	DISK_UNLINK,
	DISK_RENAME, // the data is the new path
	_DISK_OP_MAX,
};

/* Followed by the path and the data. */
struct disk_record {
	int32_t op;
	int32_t path_size; // without a final NUL
	int64_t offset;
	int64_t data_size;
};
