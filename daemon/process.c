#include "daemon/process.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/catalogue.h"
#include "daemon/base/log.h"
#include "daemon/base/prices.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/store/restore.h"
#include "proto/fault/error_info.h"
#include "proto/text/utf8.h"

#define EXIT_USAGE 2

static void prepare(void)
{
	struct rlimit files;
	const struct rlimit none = { 0, 0 };

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); // a write says so
	umask(077);
	/* A core would hold keys; one that goes through a pipe ignores the limit. Nor may another
	 * process of the same user look at the memory. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* One arena a thread would keep many times the memory that is in use. */
	(void)mallopt(M_ARENA_MAX, 2);
	/* Requests take and free a few hundred KiB in turn: given back to the kernel each time, a
	 * sixth of a submit would be page faults. */
	(void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

/* A mistake in the command line or in the configuration file. */
static int refuse_configuration(const struct config *config, const struct fault *fault)
{
	if (!log_goes_to_journal()) {
		fprintf(stderr, "elluminated: %s\n", fault->message);
	} else if (log_start(LOG_ERR) == 0) {
		log_about(LOG_ERR,
			  ABOUT(.message = config->check ? LOG_RELOAD_REFUSED : LOG_START_FAILED),
			  "%s", fault->message);
		log_stop();
	}
	return EXIT_USAGE;
}

/* Exit as the command does for the same error. */
static int tend_backup(const struct config *config)
{
	struct store_restore restore = {
		.state_dir = config->state_dir,
		.path = config->restore,
		.system = config->system,
	};
	struct fault fault = { 0 };
	const struct error_info *error;
	int r = config->restore ? store_restore(&restore, &fault) :
				  store_check_backup(config->check_backup, &fault);

	if (r < 0) {
		error = error_find(r);
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, fault.message);
		return error ? error->exit_status : EXIT_FAILURE;
	}
	if (restore.kept[0])
		fprintf(stderr, "What was there before is in %s/%s.\n", config->state_dir, restore.kept);
	return EXIT_SUCCESS;
}

/* Where lines go, for people: a file where standard error is one. */
static const char *log_place(char path[static PATH_MAX])
{
	struct stat status;
	ssize_t n;

	if (log_goes_to_journal())
		return "journal";
	if (fstat(STDERR_FILENO, &status) < 0 || !S_ISREG(status.st_mode))
		return "standard error";
	n = readlink("/proc/self/fd/2", path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	return utf8_valid(path, strlen(path), NULL) ? path : "a file";
}

/* The tables that the configuration names are read even where it is only checked. */
static int run(const struct config *config, struct daemon_options *options)
{
	struct prices *prices = NULL;
	struct catalogue *catalogue = NULL;
	char log_path[PATH_MAX];
	struct fault fault = { 0 };
	int r = prices_new(config->price_file, &prices, &fault);

	if (r == 0)
		r = catalogue_new(NULL, "the built-in evaluators", &catalogue, &fault);
	if (r < 0) {
		r = refuse_configuration(config, &fault);
	} else if (config->check) {
		r = EXIT_SUCCESS;
	} else if (log_start((int)config->log_level) < 0) {
		r = EXIT_FAILURE;
	} else {
		options->config = config;
		options->prices = prices;
		options->catalogue = catalogue;
		options->log = log_place(log_path);
		r = daemon_run(options);
		log_stop();
	}
	catalogue_free(catalogue);
	prices_free(prices);
	return r;
}

int process_main(int argc, char **argv, const struct raw_interface *raw)
{
	struct daemon_options options = { .raw = raw, .argc = argc, .argv = argv };
	struct config config = { 0 };
	struct fault fault = { 0 };
	int r;

	prepare();
	r = config_load(&config, argc, argv, &fault);
	if (r < 0)
		r = refuse_configuration(&config, &fault);
	else if (r == CONFIG_EXIT)
		r = EXIT_SUCCESS;
	else if (config.check_backup || config.restore)
		r = tend_backup(&config);
	else
		r = run(&config, &options);
	config_done(&config);
	return r;
}
