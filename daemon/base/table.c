#include "daemon/base/table.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_BUCKETS 16

int table_init(struct table *table)
{
	table->n = 0;
	table->n_buckets = FIRST_BUCKETS;
	table->buckets = calloc(FIRST_BUCKETS, sizeof(*table->buckets));
	return table->buckets ? 0 : -ENOMEM;
}

void table_done(struct table *table)
{
	free(table->buckets);
	*table = (struct table){ 0 };
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->n_buckets - 1)];
}

static void insert(struct table *table, struct table_node *node)
{
	struct table_node **bucket = bucket_of(table, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static void grow(struct table *table)
{
	struct table old = *table;
	struct table_node **buckets = calloc(old.n_buckets * 2, sizeof(*buckets));

	if (!buckets)
		return;
	table->buckets = buckets;
	table->n_buckets *= 2;
	for (size_t i = 0; i < old.n_buckets; i++) {
		struct table_node *node = old.buckets[i];

		while (node) {
			struct table_node *next = node->next;

			insert(table, node);
			node = next;
		}
	}
	free(old.buckets);
}

void table_add(struct table *table, struct table_node *node, uint64_t hash)
{
	if (table->n >= table->n_buckets)
		grow(table);
	node->hash = hash;
	insert(table, node);
	table->n++;
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **link = bucket_of(table, node->hash);

	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	table->n--;
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
	struct table_node *node = *bucket_of(table, hash);

	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct table_node *table_next(const struct table_node *node)
{
	uint64_t hash = node->hash;

	do
		node = node->next;
	while (node && node->hash != hash);
	return (struct table_node *)node;
}
