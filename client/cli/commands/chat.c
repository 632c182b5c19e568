/*
 * elluminate chat: a conversation. Each line is a call with all that was said before; what was not
 * answered is no part of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/call.h"
#include "client/cli/commands/ask.h"
#include "client/cli/tasks/follow.h"
#include "client/cli/tasks/outcome.h"
#include "client/cli/view/show.h"
#include "proto/task_status.h"
#include "proto/text/utf8.h"

struct chat {
	struct cli *cli;
	const struct method *method;
	json_object *messages;
	bool is_terminal;
	bool told; // that a simulated model answers
};

/* With what was said so far. */
static json_object *make_request(const struct chat *chat)
{
	json_object *request = json_object_new_object();

	json_object_object_add(request, "messages", json_object_get(chat->messages));
	return request;
}

static void forget_question(struct chat *chat)
{
	json_object_array_del_idx(chat->messages, json_object_array_length(chat->messages) - 1, 1);
}

/* 0 to go on, else the exit status: where nobody is there to see that it failed, it ends. */
static int take_end(struct chat *chat, struct follow *run)
{
	const struct ellu_call_result *answer = run->result ? run->result->call : NULL;
	int status = cli_task_exit_status(run->status), printed;

	follow_end_line(run);
	run->told_simulated = chat->told;
	printed = outcome_print_answer(run);
	chat->told = true;
	if (status == 0 && answer) {
		json_object_array_add(chat->messages, ask_message("assistant", answer->text ? answer->text : ""));
		return printed;
	}
	forget_question(chat);
	if (status == task_status_exit(TASK_REVOKED))
		cli_note(chat->cli, "The question is forgotten.");
	else
		follow_tell_end(run);
	return chat->is_terminal ? printed : status;
}

static int ask(struct chat *chat)
{
	struct submission call = { .method = chat->method, .is_lost = true };
	struct follow run = { .cli = chat->cli, .submission = &call, .started = true };
	struct arena arena;
	void *request;
	int status;

	arena_init(&arena);
	status = call_request(chat->cli, chat->method, make_request(chat), &arena, &request);
	if (status == 0) {
		call.request = request;
		status = follow(&run);
		if (status == 0)
			status = take_end(chat, &run);
		follow_done(&run);
	}
	arena_done(&arena);
	return status;
}

/* 0, or the exit status. */
static int take_line(struct chat *chat, char *line, size_t size)
{
	while (size > 0 && strchr(" \t\r\n", line[size - 1]))
		line[--size] = '\0';
	if (strlen(line) != size || !utf8_valid(line, size, NULL)) {
		cli_error("not valid UTF-8 text");
		return chat->is_terminal ? 0 : EXIT_USAGE;
	}
	if (size == 0)
		return 0;
	json_object_array_add(chat->messages, ask_message("user", line));
	return ask(chat);
}

static int converse(struct chat *chat)
{
	size_t room = 0;
	char *line = NULL;
	int status = 0;

	while (status == 0) {
		ssize_t size;

		fflush(stdout);
		if (chat->is_terminal)
			fputs("> ", stderr);
		errno = 0;
		size = getline(&line, &room, stdin);
		if (size < 0 && errno == ENOMEM)
			status = cli_fail(-ENOMEM, NULL);
		if (size < 0)
			break;
		status = take_line(chat, line, (size_t)size);
	}
	if (chat->is_terminal && status == 0)
		putc('\n', stderr);
	free(line);
	return status;
}

int command_chat(struct cli *cli)
{
	const struct arguments *arguments = &cli->arguments;
	struct chat chat = { .cli = cli, .method = method_named(cli->command->method),
			     .messages = json_object_new_array(), .is_terminal = isatty(STDIN_FILENO) };
	int status = cli_connect(cli);

	if (arguments->system_message)
		json_object_array_add(chat.messages, ask_message("system", arguments->system_message));
	if (status == 0 && arguments->n_operands > 0) {
		json_object_array_add(chat.messages, ask_message("user", arguments->operands[0]));
		status = ask(&chat);
	}
	if (status == 0)
		status = converse(&chat);
	json_object_put(chat.messages);
	return status;
}
