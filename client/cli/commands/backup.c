/* elluminate backup, check and restore: the database as a file. A restore is done by the daemon's program,
 * while no daemon runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/call.h"
#include "client/cli/view/output.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"

#define BLOCK_BYTES 1048576

/* ---- backup ---- */

static int copy(int from, int to)
{
	ssize_t n;

	do
		n = sendfile(to, from, NULL, BLOCK_BYTES);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 || fsync(to) < 0 ? -errno : 0;
}

static int move(const char *path, const char *to_path, bool force)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to, r;

	if (from < 0)
		return -errno;
	to = open(to_path, O_WRONLY | O_CREAT | O_CLOEXEC | (force ? O_TRUNC : O_EXCL), 0600);
	r = to < 0 ? -errno : copy(from, to);
	if (to >= 0 && close(to) < 0 && r == 0)
		r = -errno;
	if (r < 0 && to >= 0)
		(void) unlink(to_path);
	close(from);
	return r < 0 || unlink(path) == 0 ? r : -errno;
}

int command_backup(struct cli *cli)
{
	const struct method *method = method_named("Backup");
	const struct ellu_backup_request request = ELLU_RECORD(struct ellu_backup_request);
	const char *to = cli->operand;
	const void *answer;
	struct ellu_backup_reply reply;
	int r, status;

	if (to && !cli->arguments.force && access(to, F_OK) == 0) {
		cli_error("%s is there already; --force writes over it", to);
		return EXIT_USAGE;
	}
	status = cli_connect(cli);
	if (status == 0)
		status = call_reply(cli, method, &request, &answer);
	if (status != 0)
		return status;
	memcpy(&reply, answer, sizeof(reply));
	r = to ? move(reply.path, to, cli->arguments.force) : 0;
	if (r < 0) {
		cli_error("%s: %s; the backup is %s", to, strerror(-r), reply.path);
		status = ellu_error_exit_status(r);
	} else if (output_is_json()) {
		reply.path = to ? to : reply.path;
		status = cli_print_json(method->reply, &reply);
	} else {
		puts(to ? to : reply.path);
		cli_note(cli, "It is the database as it was when that was done, without any key.");
	}
	ellu_free(answer);
	return status;
}

/* ---- check ---- */

static int run_daemon(const char *const *words)
{
	struct complaint complaint = { 0 };
	int r = daemon_execute(words, &complaint);

	return r < 0 ? cli_fail_file(r, &complaint) : r;
}

static int check_database(struct cli *cli)
{
	const struct method *method = method_named("CheckStorage");
	const struct ellu_check_storage_request request = ELLU_RECORD(struct ellu_check_storage_request);
	const struct ellu_check_storage_reply *reply;
	const void *answer;
	int status = cli_connect(cli);

	if (status == 0)
		status = call_reply(cli, method, &request, &answer);
	if (status != 0)
		return status;
	reply = answer;
	if (output_is_json())
		status = cli_print_json(method->reply, reply);
	for (size_t i = 0; i < reply->n_problems && !output_is_json(); i++) {
		text_print(stdout, reply->problems[i]);
		putchar('\n');
	}
	if (reply->n_problems == 0)
		cli_note(cli, "The database is sound.");
	else if (status == 0)
		status = ellu_error_exit_status(ELLU_E_STORAGE_DAMAGED);
	ellu_free(answer);
	return status;
}

int command_check(struct cli *cli)
{
	const char *const words[] = { "--check-backup", cli->operand, NULL };
	int status;

	if (!cli->operand)
		return check_database(cli);
	status = run_daemon(words);
	if (status == 0)
		cli_note(cli, "%s is a sound backup.", cli->operand);
	return status;
}

/* ---- restore ---- */

int command_restore(struct cli *cli)
{
	const char *whose = cli->arguments.system ? "--system" : "--user";
	const char *const look[] = { "--check-backup", cli->operand, NULL };
	const char *const words[] = { whose, "--restore", cli->operand, NULL };
	int status;

	if (!cli->arguments.system && !cli_is_own(&cli->arguments)) {
		cli_error("restore: only your own daemon, in its own place, or the system's with --system; of "
			  "others: elluminated --state-dir DIR --restore FILE");
		return EXIT_USAGE;
	}
	/* A file that will not do stops nothing. */
	status = run_daemon(look);
	if (status == 0)
		status = command_stop(cli);
	if (status == 0)
		status = run_daemon(words);
	if (status == 0)
		cli_note(cli, "Restored. %s", cli->arguments.system ?
				      "Start the daemon: systemctl start elluminated" :
				      "The next command starts the daemon, and what was unfinished goes on.");
	return status;
}
