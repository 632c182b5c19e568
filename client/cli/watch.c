/* --watch: what a command prints, again whenever a task changes. */
#include <errno.h>
#include <stdio.h>

#include "client/cli/cli.h"
#include "client/cli/interrupt.h"
#include "client/cli/view/output.h"
#include "client/cli/view/text.h"
#include "proto/generated/interface.h"

#define PAUSE_SECONDS 1.0 // between two changes that are told
#define CLEAR "\033[H\033[2J\033[3J"

/* All that came meanwhile. As ellu_stream_next(). */
static int take_changes(struct ellu_stream *stream, const struct ellu_error **ret_error)
{
	const struct ellu_monitor_reply *reply;
	int r;

	do {
		r = ellu_monitor_next(stream, &reply, ret_error);
		if (r > 0)
			ellu_free(reply);
	} while (r > 0 && ellu_stream_wait(stream, 0) > 0);
	return r;
}

/* Until Ctrl-C, which is success. */
static int run_again(struct cli *cli, struct ellu_stream *stream, int (*run)(struct cli *cli))
{
	const struct ellu_error *error = NULL;
	int r = 0, status = 0;

	while (status == 0) {
		output.width = terminal_width(stdout);
		output.flat = true; // as many rows as it has lines
		fputs(output.terminal ? CLEAR : "", stdout);
		status = run(cli);
		status = status ? status : output_flush();
		if (status == 0)
			r = interrupt_wait(cli, stream);
		if (status != 0 || r == -EINTR)
			return status;
		if (r > 0)
			r = take_changes(stream, &error);
		if (r <= 0)
			return cli_fail(r == 0 ? -ECONNRESET : r, error);
	}
	return status;
}

int watch_run(struct cli *cli, int (*run)(struct cli *cli))
{
	struct ellu_monitor_request request = ELLU_RECORD(struct ellu_monitor_request);
	struct ellu_stream *stream;
	int r, status = cli_connect(cli);

	if (status != 0)
		return status;
	request.min_interval_seconds = PAUSE_SECONDS;
	r = ellu_monitor_stream(cli->daemon, &request, &stream, NULL);
	if (r < 0)
		return cli_fail(r, NULL);
	interrupt_catch();
	status = run_again(cli, stream, run);
	interrupt_release();
	ellu_stream_close(stream);
	return status;
}
