/*
 * The simulated LLM endpoint as a process of its own. Its settings, and what it counts, are those
 * of tests/sim.
 */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

struct sim;

/* `settings`: "--NAME=VALUE", ends with NULL; or NULL. */
struct sim *sim_start(const char *const *settings);
void sim_stop(struct sim *sim);
/* http://127.0.0.1:PORT/v1 */
const char *sim_url(const struct sim *sim);

/* GET /stats. */
json_object *sim_stats(const struct sim *sim);
int64_t sim_stat(const struct sim *sim, const char *name);
/* Waits until a figure of /stats is at least so much. */
void sim_await(const struct sim *sim, const char *name, int64_t at_least);
/* Waits until only the connection that asks is open: what a dead daemon had sent may still lie in
 * the endpoint's sockets, and counts once each is read to its end. */
void sim_await_closed(const struct sim *sim);
void sim_reset(const struct sim *sim);
/* Changes settings; `settings` as in quoted(). */
json_object *sim_settings(const struct sim *sim);
void sim_control(const struct sim *sim, const char *settings, ...)
	__attribute__((format(printf, 2, 3)));
/* GET /requests: the last calls, the oldest first. */
json_object *sim_requests(const struct sim *sim, unsigned last);
json_object *sim_last_request(const struct sim *sim); // its body
