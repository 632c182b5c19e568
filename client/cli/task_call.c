#include "client/cli/task_call.h"

int task_call(struct cli *cli, const struct task_method *method, const void *request, int64_t *id,
	      void (*print)(const struct ellu_task *task))
{
	const struct ellu_error *error;
	struct task_reply reply;
	int r, status;

	if (!cli_parse_id(cli->arguments.operands[0], id))
		return EXIT_USAGE;
	status = cli_connect(cli);
	if (status != 0)
		return status;
	r = method->call(cli->daemon, request, &reply, &error);
	if (r < 0)
		return cli_fail(r, error);
	if (cli->arguments.json)
		status = cli_print_json(method->reply_type, reply.reply);
	else
		print(reply.task);
	ellu_free(reply.reply);
	return status;
}
