#include "daemon/work/experiment/batch_item.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/sha256.h"

#define SEAL_BYTES 6 // of an item

bool batch_item_mark(char ret_mark[static BATCH_MARK_SIZE], char ret_seal[static BATCH_SEAL_SIZE])
{
	uint64_t numbers[2];

	if (getrandom(numbers, sizeof(numbers), 0) != sizeof(numbers))
		return false;
	snprintf(ret_mark, BATCH_MARK_SIZE, "%016" PRIx64, numbers[0]);
	snprintf(ret_seal, BATCH_SEAL_SIZE, "%016" PRIx64, numbers[1]);
	return true;
}

void batch_item_name(const char *mark, const char *seal, const struct run_case *item,
		      char ret_id[static BATCH_CUSTOM_ID_SIZE])
{
	char place[BATCH_CUSTOM_ID_SIZE - BATCH_MARK_SIZE - 2 * SEAL_BYTES - 1];
	char sealed[2 * SEAL_BYTES + 1];
	uint8_t digest[SHA256_SIZE];

	snprintf(place, sizeof(place), "%" PRId64 "-%" PRId64 "-%" PRId64, item->row_id, item->row_number,
		 item->epoch);
	sha256_hmac(seal, strlen(seal), place, strlen(place), digest);
	for (size_t i = 0; i < SEAL_BYTES; i++)
		snprintf(sealed + 2 * i, 3, "%02x", digest[i]);
	snprintf(ret_id, BATCH_CUSTOM_ID_SIZE, "%s-%s-%s", mark, place, sealed);
}

bool batch_item_read(const char *mark, const char *seal, const char *custom_id,
		     struct run_case *ret_case)
{
	char name[BATCH_CUSTOM_ID_SIZE];

	*ret_case = (struct run_case){ 0 };
	if (sscanf(custom_id + BATCH_MARK_SIZE - 1, "-%" SCNd64 "-%" SCNd64 "-%" SCNd64, &ret_case->row_id,
		   &ret_case->row_number, &ret_case->epoch) != 3)
		return false;
	batch_item_name(mark, seal, ret_case, name);
	return strcmp(name, custom_id) == 0;
}
