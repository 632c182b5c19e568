/* elluminate skill validate, judge batch: what was made elsewhere is judged, before it is used or many at once. */
#include <errno.h>
#include <stdlib.h>

#include "client/cli/call.h"
#include "client/cli/commands/ask.h"
#include "client/cli/tasks/submit.h"

int command_skill_validate(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	const char *said = arguments->n_operands > 1 ? arguments->operands[1] : NULL;
	struct submission submission = { .method = method_named(cli->command->method), .is_lost = true };
	struct complaint complaint;
	json_object *json;
	char *text;
	int r;

	if (said && arguments->file) {
		cli_error("skill validate: expected either TEXT or --file");
		return EXIT_USAGE;
	}
	r = ask_text(cli, said, &text, &complaint);
	if (r < 0)
		return cli_fail_file(r, &complaint);
	json = json_object_new_object();
	json_object_object_add(json, "skill", cli_ref(arguments->operands[0]));
	json_object_object_add(json, "response", json_object_new_string(text));
	free(text);
	return submit_request(cli, &submission, json);
}

int command_judge_batch(struct cli *cli)
{
	struct submission task = { .method = method_named(cli->command->method) };
	json_object *request = json_object_new_object();

	if (!request)
		return cli_fail(-ENOMEM, NULL);
	json_object_object_add(request, "judge", cli_ref(cli->arguments.operands[0]));
	return submit_request(cli, &task, request);
}
