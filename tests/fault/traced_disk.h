/*
 * A disk as ellu-disk-trace recorded it, played forward, and what a loss of power may leave of
 * it: all that was synced, and of the rest whatever the disk happened to have written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct traced_disk;

/* `folder`: what was traced. */
struct traced_disk *traced_disk_new(const char *trace_path, const char *folder);
/* Plays one operation. False: there is none left. */
bool traced_disk_step(struct traced_disk *disk, bool *ret_was_sync);
/* The trace's size up to here. */
int64_t traced_disk_at(const struct traced_disk *disk);
void traced_disk_rewind(struct traced_disk *disk);
/* How often a file of this name was synced so far. */
unsigned traced_disk_syncs(const struct traced_disk *disk, const char *name);

/* What is left when power fails here, written to the folder: of what is not synced each sector
 * of a write with this probability, and the first of the changes of names. From random(). */
void traced_disk_lose_power(const struct traced_disk *disk, double kept, const char *folder);
