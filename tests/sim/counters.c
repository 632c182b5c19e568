#include "tests/sim/counters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TALLY_SLOTS_MIN 1024

static struct tally_entry *tally_slot(struct tally_entry *entries, size_t n_slots, uint64_t hash)
{
	size_t i = hash & (n_slots - 1);

	while (entries[i].calls > 0 && entries[i].hash != hash)
		i = (i + 1) & (n_slots - 1);
	return &entries[i];
}

static void tally_grow(struct tally *tally)
{
	size_t n_slots = tally->n_slots ? tally->n_slots * 2 : TALLY_SLOTS_MIN;
	struct tally_entry *entries = must_have(calloc(n_slots, sizeof(*entries)));

	for (size_t i = 0; i < tally->n_slots; i++)
		if (tally->entries[i].calls > 0)
			*tally_slot(entries, n_slots, tally->entries[i].hash) = tally->entries[i];
	free(tally->entries);
	tally->entries = entries;
	tally->n_slots = n_slots;
}

static void tally_call(struct tally *tally, uint64_t hash)
{
	struct tally_entry *entry;

	if (tally->n_used * 2 >= tally->n_slots)
		tally_grow(tally);
	entry = tally_slot(tally->entries, tally->n_slots, hash);
	if (entry->calls == 0) {
		entry->hash = hash;
		tally->n_used++;
	} else {
		tally->repeated++;
	}
	entry->calls++;
}

/* A call from before a reset has no entry any more: it is not counted. */
static void tally_answered(struct tally *tally, uint64_t hash)
{
	struct tally_entry *entry;

	if (tally->n_slots == 0)
		return;
	entry = tally_slot(tally->entries, tally->n_slots, hash);
	if (entry->calls == 0)
		return;
	if (entry->answered > 0)
		tally->answered_repeated++;
	entry->answered++;
}

void counters_done(struct counters *counters)
{
	free(counters->by_key.entries);
	free(counters->by_body.entries);
}

void counters_reset(struct counters *counters)
{
	uint64_t in_flight = counters->in_flight, waiting = counters->waiting;

	counters_done(counters);
	*counters = (struct counters) {
		.in_flight = in_flight,
		.max_in_flight = in_flight,
		.waiting = waiting,
	};
}

void counters_call(struct counters *counters, const struct call_identity *identity)
{
	counters->calls++;
	if (identity->has_key)
		tally_call(&counters->by_key, identity->key_hash);
	else
		counters->without_key++;
	tally_call(&counters->by_body, identity->body_hash);
}

void counters_answered(struct counters *counters, const struct call_identity *identity,
		       int64_t latency_usec)
{
	counters->answered++;
	counters->latency_seconds_sum += (double) latency_usec / 1e6;
	if (identity->has_key)
		tally_answered(&counters->by_key, identity->key_hash);
	tally_answered(&counters->by_body, identity->body_hash);
}

void counters_status(struct counters *counters, int status)
{
	if (status > 0 && status < STATUS_MAX)
		counters->by_status[status]++;
}

void counters_enter(struct counters *counters)
{
	counters->in_flight++;
	if (counters->in_flight > counters->max_in_flight)
		counters->max_in_flight = counters->in_flight;
}

static void print_by_status(const struct counters *counters, struct bytes *out)
{
	const char *separator = "";

	bytes_text(out, ", \"by_status\": {");
	for (int status = 0; status < STATUS_MAX; status++) {
		if (counters->by_status[status] == 0)
			continue;
		bytes_printf(out, "%s\"%d\": %" PRIu64, separator, status, counters->by_status[status]);
		separator = ", ";
	}
	bytes_text(out, "}, \"by_fault\": {");
	separator = "";
	for (unsigned fault = 0; fault < _FAULT_MAX; fault++) {
		if (counters->by_fault[fault] == 0)
			continue;
		bytes_printf(out, "%s\"%s\": %" PRIu64, separator, fault_name(fault),
			     counters->by_fault[fault]);
		separator = ", ";
	}
	bytes_text(out, "}");
}

void counters_print(const struct counters *counters, struct bytes *out)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "calls", counters->calls },
		{ "answered", counters->answered },
		{ "in_flight", counters->in_flight },
		{ "max_in_flight", counters->max_in_flight },
		{ "waiting", counters->waiting },
		{ "closed_early", counters->closed_early },
		{ "without_key", counters->without_key },
		{ "distinct_keys", counters->by_key.n_used },
		{ "distinct_bodies", counters->by_body.n_used },
		{ "repeated_by_key", counters->by_key.repeated },
		{ "answered_repeated_by_key", counters->by_key.answered_repeated },
		{ "repeated_by_body", counters->by_body.repeated },
		{ "answered_repeated_by_body", counters->by_body.answered_repeated },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		bytes_printf(out, "%s\"%s\": %" PRIu64, i == 0 ? "" : ", ", numbers[i].name,
			     numbers[i].value);
	bytes_printf(out, ", \"mean_latency_seconds\": %.9f",
		     counters->answered > 0 ?
			     counters->latency_seconds_sum / (double) counters->answered : 0);
	bytes_printf(out, ", \"last_closed_early_seconds\": %.6f",
		     (double) counters->last_closed_usec / 1e6);
	print_by_status(counters, out);
}
