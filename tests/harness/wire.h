/*
 * A Varlink client on literal bytes: what is sent is exactly what the test wrote, and nothing
 * of the project's own protocol code takes part. Blocking; one thread a connection.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct wire;

/* Ends the test when there is no connection. */
struct wire *wire_open(const char *socket_path);
/* NULL: refused, with errno. */
struct wire *wire_try_open(const char *socket_path);
/* Over a connection that is there, which it takes. */
struct wire *wire_take(int fd);
void wire_close(struct wire *wire);
int wire_fd(const struct wire *wire);

/* ---- Bytes ---- */

/* All of them, however long it takes; false: the other side is gone. */
bool wire_send(struct wire *wire, const char *bytes, size_t size);
/* A text and the NUL that ends a message. */
bool wire_send_text(struct wire *wire, const char *message);

enum wire_outcome { WIRE_MESSAGE, WIRE_CLOSED, WIRE_SILENT };

/* The next message without its NUL, valid until the next call. */
enum wire_outcome wire_receive(struct wire *wire, double seconds, const char **ret_message);

/* ---- Calls ---- */

/* `flags`: further members of the call, as "'more': true", or "". `method` without a dot is
 * org.elluminate's. `parameters` as in quoted(). */
void wire_start(struct wire *wire, const char *flags, const char *method, const char *parameters,
		...) __attribute__((format(printf, 4, 5)));
/* The next whole reply: {parameters, continues?, error?}. Must come. */
json_object *wire_next(struct wire *wire);
/* A call and its reply's parameters; an error ends the test. */
json_object *wire_call(struct wire *wire, const char *method, const char *parameters, ...)
	__attribute__((format(printf, 3, 4)));
/* A call that must fail: the whole reply. `error` is its name, of org.elluminate unless it
 * has a dot. */
json_object *wire_refused(struct wire *wire, const char *error, const char *method,
			  const char *parameters, ...) __attribute__((format(printf, 4, 5)));
