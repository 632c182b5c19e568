/* elluminate embed: the vectors of texts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/call.h"
#include "client/cli/tasks/submit.h"

/* Each line of standard input that is not empty. 0, or the exit status. */
static int read_lines(const struct cli *cli, json_object *texts)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t size;

	if (isatty(STDIN_FILENO))
		cli_note(cli, "A text a line, then Ctrl-D:");
	errno = 0;
	while ((size = getline(&line, &room, stdin)) >= 0) {
		while (size > 0 && line[size - 1] == '\n')
			line[--size] = '\0';
		if (size > 0)
			json_object_array_add(texts, json_object_new_string_len(line, (int)size));
	}
	free(line);
	return errno == ENOMEM ? cli_fail(-ENOMEM, NULL) : 0;
}

int command_embed(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	struct submission embedding = { .method = method_named(cli->command->method), .is_lost = true };
	json_object *json = json_object_new_object(), *texts = json_object_new_array();
	int status = 0;

	json_object_object_add(json, "texts", texts);
	for (size_t i = 0; i < arguments->n_operands; i++)
		json_object_array_add(texts, json_object_new_string(arguments->operands[i]));
	if (arguments->n_operands == 0)
		status = read_lines(cli, texts);
	if (status == 0)
		return submit_request(cli, &embedding, json);
	json_object_put(json);
	return status;
}
