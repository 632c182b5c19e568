/*
 * An experiment whose cases are given to its provider as batches (runs.h: struct kept_batch).
 *
 * The cases that the scan finds missing are put into a body until that is full or the scan is at its end. The
 * batch is kept in the store, then given, then what it is known by is kept. What comes back is recorded case by
 * case as it comes. When all batches of a scan are collected, another one begins from the start: it has the
 * answers judged, and gives again what got none. One that finds nothing missing is the last.
 *
 * So all that lasts is a list of batches, each the missing cases of a part of a scan; and whoever goes on with
 * the task, after a pause or another daemon's end, does what the list says. A batch that is kept and was
 * perhaps given is looked for before anything else.
 *
 * Invariants:
 *  1. At most one batch is meant and not known to be given, the last.
 *  2. The parts of a scan follow each other: it goes on where its last batch ends.
 *  3. Nothing is asked of the store or the provider about batches while another thing is.
 */
#pragma once

#include <stdbool.h>

struct batching;
struct experiment_run;
struct open_case;

/* Of a run whose spec wants it, once its config is known. NULL: no memory. */
struct batching *batching_new(struct experiment_run *run);
struct batching *batching_free(struct batching *batching);

/* Whether the scan may go on, and find a case that has no answer. */
bool batching_may_scan(const struct batching *batching);
bool batching_has_room(const struct batching *batching);
/* Puts a case in, whose call is filled, and closes it; or records that none of several batches answered it. */
void batching_add(struct batching *batching, struct open_case *open_case);
/* Does what is due. Whether nothing is missing any more, where `at_end` says that the scan has found no more. */
bool batching_go_on(struct batching *batching, bool at_end);
/* The run ends: what is asked comes back, and nothing else will be. As often as one likes. */
void batching_stop(struct batching *batching);
