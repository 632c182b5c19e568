#include "client/cli/commands/token.h"

#include <stdio.h>

#include "client/cli/call.h"
#include "client/cli/view/output.h"
#include "client/cli/view/text.h"

int command_token_create(struct cli *cli)
{
	json_object *json = json_object_new_object();

	json_object_object_add(json, "name", json_object_new_string(cli->arguments.operands[0]));
	return call_json_and_print(cli, method_named("CreateToken"), json);
}

void print_created_token(const struct cli *cli, const void *reply)
{
	const struct ellu_create_token_reply *created = reply;
	const struct ellu_token *token = created->token;

	printf("%s\n", created->secret);
	cli_note(cli, "It is shown this once. Good for %s in %s%s; revoke it with: elluminate token revoke %s",
		 token->scope, token->project ? "project " : "all projects",
		 token->project ? token->project : "", token->name);
}
