/* What was said on the command line. */
#pragma once

#include <json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct option;

#define OPERANDS_MAX 1001 // a set, and its criteria
#define GIVEN_MAX 100

/* What an option of the command's own was given, time and again. */
#define TEXTS_MAX 20
struct texts {
	const char *items[TEXTS_MAX];
	size_t n;
};

/* An option that sets a field of the request. */
struct given {
	const struct option *option;
	const char *text; // as given; NULL for a flag
	json_object *value;
};

/* A share that must be reached: of what meets all, or one of the criteria. */
struct gate {
	const char *criterion; // or evaluator: how it is named, not terminated; or NULL
	bool of_evaluator;
	size_t length;
	double share;
};
#define GATES_MAX 32

/* Numbers are negative, texts NULL when not given. */
struct arguments {
	const char *socket;
	const char *bus; // "session" or "system"
	const char *project;
	bool user;
	bool system;
	bool json;
	const char *format; // of FORMAT_NAMES
	const char *output; // a file
	bool no_header;
	bool quiet;
	bool verbose;
	const char *color; // "auto", "always" or "never"
	bool no_color;
	bool no_pager;
	const char *pager; // where the environment has none; or NULL
	bool no_start;
	bool help;
	bool version;

	bool dry_run;
	bool more;
	bool follow;
	bool watch;
	const char *file;
	const char *criterion; // an id, a label or a text
	bool reasoning;
	const char *columns;
	const char *label; // of a criterion
	const char *check; // the same: KIND, or KIND=VALUE
	const char *by; // parts of costs
	const char *url; // of a proxy before the HTTP server
	bool print_only; // the address, and open nothing
	const char *name; // what is imported shall be called
	bool keep;
	const char *evaluators; // names, between commas
	bool force;
	bool all;
	const char *message; // of a prompt template
	const char *system_message; // the same; and of a call
	const char *schema; // a file
	struct texts images; // files or URLs, and the next
	struct texts documents;
	int64_t limit; // of a list
	struct gate gates[GATES_MAX]; // --fail-under
	size_t n_gates;
	double fail_under_low;
	double difference, discordant, power; // of power; 0: not said
	const char *base; // --fail-on-regression

	struct given given[GIVEN_MAX]; // all else
	size_t n_given;

	const char *operands[OPERANDS_MAX];
	unsigned n_operands;
	const char *group; // the first word of two, where the second was not said; or NULL
};
