/*
 * What an experiment that was deleted leaves behind: its responses with their ratings and texts go a
 * chunk at a time, but for those that another task has rated, whose result they are. Its row stays,
 * and so do its run's and its tasks': they are small, and ids are never used again.
 */
#pragma once

struct db;

/* One chunk. 1: there may be more to do; 0: there is nothing. */
int experiments_sweep(struct db *db);
