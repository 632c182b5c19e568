/*
 * A chained hash table of embedded nodes. It compares hashes only; who looks up walks the equal
 * ones with table_next() and compares the rest. A table that cannot grow gets longer chains.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next; // of its bucket
	uint64_t hash;
};

struct table {
	struct table_node **buckets;
	size_t n_buckets; // a power of two
	size_t n;
};

int table_init(struct table *table); // -ENOMEM
void table_done(struct table *table); // the nodes are their owners'
void table_add(struct table *table, struct table_node *node, uint64_t hash);
void table_remove(struct table *table, struct table_node *node);
struct table_node *table_first(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);

/* Spreads a number; no defence against chosen ones. */
static inline uint64_t table_hash(uint64_t number)
{
	number = (number ^ (number >> 32)) * 0x9e3779b97f4a7c15u;
	return number ^ (number >> 29);
}
