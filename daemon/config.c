#include "daemon/config.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <grp.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/backend/backend.h"
#include "daemon/base/log.h"
#include "daemon/front/http/http.h"
#include "daemon/store/store.h"

/* A value that is one of several words. */
struct config_word {
	const char *word; // NULL ends the list
	int64_t value;
};

static const struct config_word log_levels[] = {
	{ "error", LOG_ERR },	{ "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO },	{ "debug", LOG_DEBUG },	    { 0 },
};

static const struct config_word shutdowns[] = {
	{ "resume", SHUTDOWN_RESUME },
	{ "revoke", SHUTDOWN_REVOKE },
	{ 0 },
};

static int check_path(const char *text, struct fault *fault)
{
	return text[0] == '/' ? 0 : fault_set(fault, -EINVAL, "expected an absolute path");
}

static int check_hosts(const char *text, struct fault *fault)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(".-:[]_ ", *text))
			return fault_set(fault, -EINVAL, "expected names with blanks between, each with its "
					 "port where that is not the usual one");
	return 0;
}

/* Every key of the configuration file: the one place that lists them. */
static const struct config_key {
	const char *section;
	const char *name;
	size_t offset;
	int64_t low;
	int64_t high;
	int64_t initial;
	const struct config_word *words; // NULL: a number from low to high
	bool is_group; // the name of a group
	/* Of a string of the config's own: what is wrong with it. NULL: it is no string. */
	int (*check)(const char *text, struct fault *fault);
} config_keys[] = {
#define KEY(section, name, low, high, initial) \
	{ section, #name, offsetof(struct config, name), low, high, initial, NULL, false, NULL }
#define WORD(section, name, words, initial) \
	{ section, #name, offsetof(struct config, name), 0, 0, initial, words, false, NULL }
#define GROUP(section, name) \
	{ section, #name, offsetof(struct config, name), 0, 0, -1, NULL, true, NULL }
#define TEXT(section, name, check) \
	{ section, #name, offsetof(struct config, name), 0, 0, 0, NULL, false, check }
/* Names that others have as well go by their section in the struct. */
#define SERVER(section, name, low, high, initial) \
	{ section, #name, offsetof(struct config, http_##name), low, high, initial, NULL, false, NULL }
#define SERVER_TEXT(section, name, check) \
	{ section, #name, offsetof(struct config, http_##name), 0, 0, 0, NULL, false, check }
	GROUP("daemon", administrator_group),
	TEXT("daemon", price_file, check_path),
	WORD("daemon", log_level, log_levels, LOG_INFO),
	WORD("daemon", on_shutdown, shutdowns, SHUTDOWN_RESUME),
	KEY("daemon", idle_exit_seconds, 0, 86400 * 365, 0),
	KEY("daemon", shutdown_grace_seconds, 0, 3600, 20),
	KEY("daemon", workers, 0, 256, 0),
	KEY("daemon", response_cache_mib_per_user, 0, 1048576, 256),
	KEY("queue", log_retention_days, 0, 36500, 30),
	KEY("queue", experiment_retention_days, 0, 36500, 0),
	KEY("queue", task_retention_days, 0, 36500, 0),
	KEY("queue", batch_poll_seconds, 1, 3600, 300),
	KEY("queue", max_pending, 1, 1000000, 10000),
	KEY("queue", max_pending_per_user, 1, 1000000, 5000),
	KEY("queue", max_running, 1, 100000, 64),
	KEY("queue", max_running_per_user, 1, 100000, 16),
	KEY("queue", max_interactive, 1, 100000, 64),
	KEY("queue", max_interactive_per_user, 1, 100000, 16),
	KEY("queue", max_calls, 2, 4096, BACKEND_CALLS_MAX),
	KEY("queue", max_calls_per_user, 1, 4096, BACKEND_CALLS_PER_USER_MAX),
	KEY("front", max_connections, 8, 65536, 4096),
	KEY("front", max_connections_per_user, 4, 65536, 3072),
	KEY("front", max_requests, 8, 1000000, 8192),
	KEY("front", max_requests_per_user, 4, 1000000, 4096),
	KEY("front", max_watches, 4, 1000000, 4096),
	KEY("front", max_watches_per_user, 1, 1000000, 2048),
	KEY("front", max_large_messages, 2, 1024, 8),
	KEY("front", max_large_messages_per_user, 1, 1024, 2),
	KEY("front", max_input_mib, 1, 65536, 64),
	KEY("front", max_input_mib_per_user, 1, 65536, 16),
	KEY("front", max_output_mib, 16, 65536, 128),
	KEY("front", max_output_mib_per_user, 16, 65536, 32),
	KEY("front", message_seconds, 1, 3600, 30),
	KEY("front", output_stall_seconds, 1, 3600, 60),
	SERVER_TEXT("http", listen, http_check_address),
	SERVER_TEXT("http", hosts, check_hosts),
	SERVER("http", max_connections, 8, 65536, 2048),
	SERVER("http", max_requests_per_second, 1, 1000000, 2000),
	SERVER("http", max_body_mib, 1, 16, 16),
	SERVER("http", idle_seconds, 1, 3600, 75),
	SERVER("http", heartbeat_seconds, 1, 3600, 15),
#undef SERVER_TEXT
#undef SERVER
#undef TEXT
#undef GROUP
#undef WORD
#undef KEY
};
#define N_CONFIG_KEYS (sizeof(config_keys) / sizeof(config_keys[0]))

static const struct option options[] = {
	{ "user", no_argument, NULL, 'u' },
	{ "system", no_argument, NULL, 's' },
	{ "state-dir", required_argument, NULL, 'd' },
	{ "socket", required_argument, NULL, 'S' },
	{ "config", required_argument, NULL, 'c' },
	{ "no-bus", no_argument, NULL, 'b' },
	{ "http", required_argument, NULL, 'H' },
	{ "log-level", required_argument, NULL, 'l' },
	{ "idle-exit-seconds", required_argument, NULL, 'i' },
	{ "ready-fd", required_argument, NULL, 'r' },
	{ "check", no_argument, NULL, 'C' },
	{ "check-backup", required_argument, NULL, 'B' },
	{ "restore", required_argument, NULL, 'R' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char help_text[] =
	"Usage: elluminated [OPTION]...\n"
	"Evaluates prompts and models: keeps experiments in a durable queue and runs them.\n\n"
	"  --user                    serve this user (the default)\n"
	"  --system                  serve every user of this machine\n"
	"  --state-dir DIR           keep the database and secrets in DIR\n"
	"  --socket PATH             listen on PATH\n"
	"  --config FILE             read FILE instead of the usual configuration file\n"
	"  --no-bus                  serve the socket only\n"
	"  --http ADDRESS            serve HTTP on 127.0.0.1:PORT, [::1]:PORT or a PATH, too\n"
	"  --log-level LEVEL         error, warning, notice, info (the default) or debug\n"
	"  --idle-exit-seconds N     exit after N seconds without a connection or a task\n"
	"  --ready-fd FD             write READY to FD and close it once the daemon serves\n"
	"  --check                   check the configuration and exit\n"
	"  --check-backup FILE       read a backup, say what is wrong with it, and exit\n"
	"  --restore FILE            put a backup in the place of the database, and exit\n"
	"  --version                 print the versions and exit\n"
	"  --help                    print this and exit\n\n"
	"Files, for a user:  $XDG_STATE_HOME/elluminate, $XDG_RUNTIME_DIR/elluminate/socket,\n"
	"                    $XDG_CONFIG_HOME/elluminate/elluminated.conf\n"
	"       for a system: /var/lib/elluminate, /run/elluminate/socket,\n"
	"                    /etc/elluminate/elluminated.conf\n";

static int parse_number(const char *text, int64_t low, int64_t high, int64_t *ret_value)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < low || value > high)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

struct file_context {
	struct config *config;
	struct fault *fault;
	FILE *file;
	int line;
	int fault_line;
};

/* "expected a, b or c" */
static void say_words(const struct config_word *words, char *ret_text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; words[i].word && used < size; i++)
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
					 i == 0 ? "" : words[i + 1].word ? ", " : " or ", words[i].word);
}

static int parse_word(const struct config_word *words, const char *text, int64_t *ret_value)
{
	for (; words->word; words++)
		if (strcmp(words->word, text) == 0) {
			*ret_value = words->value;
			return 0;
		}
	return -EINVAL;
}

static int parse_group(const char *where, const char *text, int64_t *ret_gid, struct fault *fault)
{
	const struct group *group = text[0] ? getgrnam(text) : NULL;

	if (text[0] && !group)
		return fault_set(fault, -EINVAL, "%s: there is no group %s", where, text);
	*ret_gid = group ? (int64_t)group->gr_gid : -1;
	return 0;
}

static int parse_text(const struct config_key *key, const char *where, const char *text,
		      char **ret_text, struct fault *fault)
{
	struct fault wrong = { 0 };

	if (key->check(text, &wrong) < 0)
		return fault_set(fault, -EINVAL, "%s: %s", where, wrong.message);
	free(*ret_text);
	*ret_text = strdup(text);
	return *ret_text ? 0 : fault_oom(fault);
}

/* `where` names the key as people gave it. */
static int set_key(const struct config_key *key, struct config *config, const char *where,
		   const char *text, struct fault *fault)
{
	int64_t *value = (int64_t *)((char *)config + key->offset);
	char words[128];

	if (key->words) {
		if (parse_word(key->words, text, value) == 0)
			return 0;
		say_words(key->words, words, sizeof(words));
		return fault_set(fault, -EINVAL, "%s: expected %s", where, words);
	}
	if (key->is_group)
		return parse_group(where, text, value, fault);
	if (key->check)
		return parse_text(key, where, text, (char **)((char *)config + key->offset), fault);
	if (parse_number(text, key->low, key->high, value) == 0)
		return 0;
	return fault_set(fault, -EINVAL, "%s: expected a number from %lld to %lld", where,
			 (long long)key->low, (long long)key->high);
}

/* `section` NULL: whichever it is in. */
static const struct config_key *find_key(const char *section, const char *name)
{
	for (size_t i = 0; i < N_CONFIG_KEYS; i++)
		if ((!section || strcmp(config_keys[i].section, section) == 0) &&
		    strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	return NULL;
}

/* libinih's convention: 1 is fine, 0 is an error at this line. */
static int on_file_key(void *userdata, const char *section, const char *name, const char *value)
{
	struct file_context *context = userdata;
	const struct config_key *key = find_key(section, name);
	char where[128];

	if (context->fault->code)
		return 0; // the first mistake is the one that is told
	context->fault_line = context->line;
	if (*section)
		snprintf(where, sizeof(where), "[%s] %s", section, name);
	else
		snprintf(where, sizeof(where), "%s, before any [section]", name);
	if (key)
		return set_key(key, context->config, where, value, context->fault) == 0;
	fault_set(context->fault, -EINVAL, "%s: no such key", where);
	return 0;
}

/* A whole line, as libinih takes what does not fit for lines of their own. Of a comment the rest is
 * dropped. */
static char *read_line(char *text, int size, void *userdata)
{
	struct file_context *context = userdata;
	int c;

	context->line++;
	if (!fgets(text, size, context->file))
		return NULL;
	if (strchr(text, '\n') || feof(context->file))
		return text;
	while ((c = fgetc(context->file)) != '\n' && c != EOF)
		;
	if (!strchr(";#", text[strspn(text, " \t")]) && !context->fault->code) {
		fault_set(context->fault, -EINVAL, "a line of more than %d characters", size - 1);
		context->fault_line = context->line;
	}
	return text;
}

static int read_file(struct config *config, const char *path, bool required, struct fault *fault)
{
	struct file_context context = { .config = config, .fault = fault };
	char message[sizeof(fault->message)];
	int r, failure;

	context.file = fopen(path, "re");
	if (!context.file) {
		if ((errno == ENOENT || errno == ENOTDIR) && !required)
			return 0;
		return fault_set(fault, -errno, "%s: %s", path, strerror(errno));
	}
	r = ini_parse_stream(read_line, &context, on_file_key, &context);
	failure = ferror(context.file) ? errno : 0;
	fclose(context.file);
	if (failure)
		return fault_set(fault, -failure, "%s: %s", path, strerror(failure));
	if (r == 0 && fault->code)
		r = context.fault_line;
	if (r == 0)
		return 0;
	/* libinih goes on behind a line that it cannot parse, and answers the first of all. */
	snprintf(message, sizeof(message), "%s",
		 fault->code && context.fault_line == r ? fault->message : "cannot be parsed");
	fault_set(fault, -EINVAL, "%s:%d: %s", path, r, message);
	return -EINVAL;
}

static int join(char **ret_text, const char *first, const char *second, const char *third)
{
	free(*ret_text);
	if (asprintf(ret_text, "%s%s%s", first, second, third) < 0) {
		*ret_text = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* An XDG base directory, by its variable or below the home directory. */
static int xdg_path(char **ret_path, const char *variable, const char *fallback, const char *file)
{
	const char *base = getenv(variable);
	const char *home = getenv("HOME");
	char *below_home = NULL;
	int r;

	if (base && base[0] == '/')
		return join(ret_path, base, "/elluminate", file);
	if (!home || home[0] != '/')
		return -ENOENT;
	r = join(&below_home, home, fallback, "/elluminate");
	if (r == 0)
		r = join(ret_path, below_home, file, "");
	free(below_home);
	return r;
}

static int fill_state_dir(struct config *config)
{
	const char *given = getenv("STATE_DIRECTORY");

	if (config->state_dir)
		return 0;
	if (given && given[0])
		return join(&config->state_dir, given, "", "");
	if (config->system)
		return join(&config->state_dir, "/var/lib/elluminate", "", "");
	return xdg_path(&config->state_dir, "XDG_STATE_HOME", "/.local/state", "");
}

static int fill_socket_path(struct config *config)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (config->socket_path)
		return 0;
	if (config->system)
		return join(&config->socket_path, "/run/elluminate/socket", "", "");
	if (runtime && runtime[0] == '/')
		return join(&config->socket_path, runtime, "/elluminate/socket", "");
	return join(&config->socket_path, config->state_dir, "/socket", "");
}

static void print_versions(void)
{
	printf("elluminated %s\nlibcurl %s\nSQLite %s\nlibevent %s\n", ELLU_VERSION,
	       curl_version_info(CURLVERSION_NOW)->version, store_sqlite_version(),
	       event_get_version());
}

static int take_option(struct config *config, int option, struct fault *fault)
{
	int64_t number;

	switch (option) {
	case 'u':
	case 's':
		config->system = option == 's';
		return 0;
	case 'd':
		return join(&config->state_dir, optarg, "", "");
	case 'S':
		return join(&config->socket_path, optarg, "", "");
	case 'c':
		return join(&config->config_path, optarg, "", "");
	case 'b':
		config->no_bus = true;
		return 0;
	case 'H':
		return set_key(find_key("http", "listen"), config, "--http", optarg, fault);
	case 'C':
		config->check = true;
		return 0;
	case 'B':
		return join(&config->check_backup, optarg, "", "");
	case 'R':
		return join(&config->restore, optarg, "", "");
	case 'l':
		return set_key(find_key(NULL, "log_level"), config, "--log-level", optarg, fault);
	case 'i':
		return set_key(find_key(NULL, "idle_exit_seconds"), config, "--idle-exit-seconds",
			       optarg, fault);
	case 'r':
		if (parse_number(optarg, 3, 1 << 20, &number) < 0)
			return fault_set(fault, -EINVAL, "--ready-fd: expected a file descriptor");
		config->ready_fd = (int)number;
		return 0;
	default:
		return fault_set(fault, -EINVAL, "see elluminated --help");
	}
}

static int take_options(struct config *config, int argc, char **argv, struct fault *fault)
{
	int option, r;

	optind = 0; // start afresh, so that the file's values can be overruled in a second pass
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help_text, stdout);
			return CONFIG_EXIT;
		}
		if (option == 'V') {
			print_versions();
			return CONFIG_EXIT;
		}
		r = take_option(config, option, fault);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return fault_set(fault, -EINVAL, "unexpected argument '%s'", argv[optind]);
	return CONFIG_RUN;
}

static int read_configuration(struct config *config, struct fault *fault)
{
	char *path = NULL;
	int r;

	if (config->config_path)
		return read_file(config, config->config_path, /* required= */ true, fault);
	if (config->system)
		return read_file(config, "/etc/elluminate/elluminated.conf", false, fault);
	if (xdg_path(&path, "XDG_CONFIG_HOME", "/.config", "/elluminated.conf") < 0)
		return 0;
	r = read_file(config, path, /* required= */ false, fault);
	free(path);
	return r;
}

int config_load(struct config *config, int argc, char **argv, struct fault *fault)
{
	int r;

	*config = (struct config){ .ready_fd = -1 };
	for (size_t i = 0; i < N_CONFIG_KEYS; i++)
		if (!config_keys[i].check)
			*(int64_t *)((char *)config + config_keys[i].offset) = config_keys[i].initial;

	r = take_options(config, argc, argv, fault);
	if (r != CONFIG_RUN)
		return r;
	r = read_configuration(config, fault);
	if (r < 0)
		return r;
	r = take_options(config, argc, argv, fault);
	if (r != CONFIG_RUN)
		return r;
	r = fill_state_dir(config);
	if (r == -ENOENT)
		return fault_set(fault, r, "no HOME or XDG_STATE_HOME: give --state-dir");
	return r < 0 ? r : fill_socket_path(config);
}

void config_done(struct config *config)
{
	free(config->state_dir);
	free(config->socket_path);
	free(config->config_path);
	free(config->price_file);
	free(config->check_backup);
	free(config->restore);
	free(config->http_listen);
	free(config->http_hosts);
	*config = (struct config){ .ready_fd = -1 };
}
