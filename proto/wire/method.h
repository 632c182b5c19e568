/*
 * Methods of the interfaces as tables. The tables themselves are generated; see
 * proto/generated/interface.h for the ids and the records.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/fault/error_info.h"
#include "proto/record/record.h"

enum method_access {
	METHOD_ACCESS_ANYONE,
	METHOD_ACCESS_OWN, // the caller's own resources; administrators all
	METHOD_ACCESS_SELF, // the same, but nobody who only shows a token
	METHOD_ACCESS_ADMINISTRATOR,
};

enum method_replies {
	METHOD_REPLIES_ONE,
	METHOD_REPLIES_LATE, // one, when what was asked for has come about
	METHOD_REPLIES_PAGES, // with `more`: all pages
	METHOD_REPLIES_EVENTS, // with `more`: events, the terminal one last
};

struct method {
	const char *name; // GetTask
	const char *qualified_name; // org.elluminate.GetTask
	const char *doc; // what it does, as the interface says it, lines and all
	int id; // enum method_id, or the enum of its interface
	const struct interface_info *interface;
	const struct record_type *request;
	const struct record_type *reply;
	enum method_access access;
	enum method_replies replies;
	/* Of HTTP; both NULL where the interface says none. What is in braces in the path is a field of the
	 * request: a number, a text, or a reference, of which a number is the id, and all else the name. */
	const char *verb; // GET
	const char *path; // /tasks/{id}
	bool is_long; // its answer waits for something
	bool follows_task; // with `more` it tells of a task until that has ended
	bool safe; // it changes nothing
	bool repeatable; // twice is as good as once: who lost the answer may ask again
	/* Where requests have what many of them have; 0: this one has not. */
	size_t project; // const char *
	size_t detach; // int
	size_t page; // struct method_page_request
};

/* What each request begins with. */
struct method_request {
	size_t struct_size;
	double call_timeout_seconds; // of the library alone; 0: as the handle says
};

/* Each METHOD_REPLIES_PAGES has these behind each other: somewhere in its request, and first in its
 * reply. */
struct method_page_request {
	const char *cursor;
	int64_t limit;
	int count;
};
struct method_page {
	size_t struct_size;
	const void *const *items;
	size_t n_items;
	const char *next_cursor;
	const int64_t *count;
};

struct interface_info {
	const char *name;
	const struct method *methods;
	size_t n_methods;
	const char *text; // what GetInterfaceDescription answers
};

/* The main interface first. */
extern const struct interface_info *const interfaces[];
extern const size_t n_interfaces;

/* The names of the write-only fields; ends with NULL. */
extern const char *const interface_secrets[];

extern const struct method *const methods_by_name[];
extern const size_t n_methods_by_name;

/* Of a request; NULL where it has none. */
static inline const char *method_project(const struct method *method, const void *request)
{
	return method->project ? *(const char *const *)((const char *)request + method->project) :
				 NULL;
}

static inline bool method_is_detached(const struct method *method, const void *request)
{
	return method->detach && *(const int *)((const char *)request + method->detach);
}

static inline struct method_page_request *method_page_of(const struct method *method,
							  const void *request)
{
	return method->page ? (struct method_page_request *)((char *)request + method->page) : NULL;
}

/* A request from a program. */
static inline double method_request_timeout(const struct method_request *request)
{
	return request->struct_size >= sizeof(*request) ? request->call_timeout_seconds : 0;
}

/* Whether there is a field that must be given. */
bool method_needs_request(const struct method *method);

/* All give NULL for what they do not know. */
const struct interface_info *interface_find(const char *name);
const struct method *method_find(const char *qualified_name);
