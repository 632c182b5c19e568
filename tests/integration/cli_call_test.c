/* `elluminate call` and `elluminate llm test`, and which version of a template `elluminate template show` shows. */
#include <signal.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/experiment.h"
#include "tests/harness/suite.h"

static struct daemon *server;
static struct sim *sim;
static struct wire *wire;

/* A daemon with the config `local`, and its endpoint. */
static void begin(const char *setting)
{
	sim = sim_start((const char *[]) { setting, NULL });
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	wire_call(wire, "CreateLLMConfig",
		  "{'llm_config':{'name':'local','provider':'openai','llm_model_name':'m','llm_base_url':'%s'}}",
		  sim_url(sim));
}

static const char *asked(void)
{
	return at_text(sim_last_request(sim), "messages.0.content");
}

START_TEST(text_in_text_out)
{
	const char *path = dir_path(dir_new(), "question");
	struct command *said;

	begin(NULL);
	said = COMMAND(server, 0, "call", "Name a river.", "--llm", "local", "--temperature", "0.5");
	ck_assert_str_eq(asked(), "Name a river.");
	ck_assert_double_eq(at_number(sim_last_request(sim), "temperature"), 0.5);
	ck_assert_uint_gt(strlen(said->out), 1);
	ck_assert_int_eq(said->out[strlen(said->out) - 1], '\n');
	ck_assert_ptr_null(strstr(said->err, "Simulated"));

	command_run_line(server, 0, "printf 'From a pipe.\\nTwo lines.\\n' | $0 call --llm local");
	ck_assert_str_eq(asked(), "From a pipe.\nTwo lines.");
	command_run_line(server, 0, "echo 'From a dash.' | $0 call --llm local -");
	ck_assert_str_eq(asked(), "From a dash.");
	file_write(path, "From a file.\n");
	COMMAND(server, 0, "call", "--llm", "local", "--file", path);
	ck_assert_str_eq(asked(), "From a file.");
	COMMAND(server, 0, "call", "--llm", "local", "--messages",
		"[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":\"Hi.\"}]");
	ck_assert_str_eq(asked(), "Be brief.");

	said = COMMAND(server, 0, "call", "Hello", "--llm", "local", "--json");
	ASSERT_SAYS(said->out, "\"status\":\"SUCCESS\"");
	ASSERT_SAYS(said->out, "\n{\"text\":\"");
	said = COMMAND(server, 0, "call", "Hello");
	ASSERT_SAYS(said->err, "Simulated: ");
	said = COMMAND(server, 0, "call", "Hello", "--llm", "local", "--fallbacks", "simulated,local", "--cache", "--json");
	ASSERT_SAYS(said->out, "\"llm_config\":\"local\"");
	said = COMMAND(server, 0, "call", "Hello", "--llm", "local", "--fallbacks", "simulated,local", "--cache", "--json");
	ASSERT_SAYS(said->out, "\"cached\":true");
}
END_TEST

/* A picture, a document, instructions, and the form of the answer. */
START_TEST(more_than_a_text)
{
	const char *folder = dir_new(), *image = dir_path(folder, "photo.png"), *schema = dir_path(folder, "schema.json");
	struct command *said;
	json_object *answer;

	begin(NULL);
	file_write(image, "\x89PNG\r\n\x1a\n....");
	file_write(dir_path(folder, "notes.txt"), "a,b");
	COMMAND(server, 0, "call", "What is it?", "--llm", "local", "--system-message", "Be brief.", "-i", image,
		"--image", "https://h/b.png", "--document", dir_path(folder, "notes.txt"));
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.0.content"), "Be brief.");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.1.content.0.text"), "What is it?");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.1.content.1.image_url.url"),
			 "data:image/png;base64,iVBORw0KGgouLi4u");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.1.content.2.image_url.url"), "https://h/b.png");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.1.content.3.file.file_data"), "data:text/plain;base64,YSxi");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.1.content.3.file.filename"), "notes.txt");

	file_write(schema, "{ // what is wanted\n\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}},"
			   "\"required\":[\"n\"]}");
	said = COMMAND(server, 0, "call", "How many?", "--llm", "local", "--schema", schema);
	answer = json_must_parse(said->out);
	ck_assert_int_ge(at_int(answer, "n"), 0);
	sim_control(sim, "{'fixed_answer':'Many.'}");
	said = COMMAND(server, 10, "call", "How many?", "--llm", "local", "--schema", schema);
	ASSERT_SAYS(said->err, "does not fit response_format, asked twice: it is not JSON");
	ck_assert_str_eq(said->out, "Many.\n");
}
END_TEST

/* What arrives is printed then; the end comes later, and prints nothing twice. */
START_TEST(as_it_comes)
{
	static char words[8000];
	struct command *call;

	begin(NULL);
	for (size_t i = 0; i < sizeof(words) - 8; i += 7)
		memcpy(words + i, "always ", 7);
	strcpy(words + strlen(words), "ends.");
	sim_control(sim, "{'stream_delta_seconds':0.05,'fixed_answer':'%s'}", words); // some minute
	call = command_start(server, (const char *[]) { "call", "Hello", "--llm", "local", NULL });
	command_await(call, "always always");
	command_signal(call, SIGINT);
	ck_assert_int_eq(command_end(call), 12);
	ck_assert_ptr_null(strstr(call->out, "ends."));
	ck_assert_int_eq(call->out[strlen(call->out) - 1], '\n');
	sim_await(sim, "closed_early", 1);
	sim_control(sim, "{'stream_delta_seconds':0}");
	ck_assert_str_eq(COMMAND(server, 0, "call", "Hello", "--llm", "local")->out, text("%s\n", words));
}
END_TEST

/* ---- elluminate chat ---- */

START_TEST(a_conversation)
{
	struct command *said;

	begin("--fixed_answer=Hello yourself.");
	said = command_run_line(server, 0, "printf 'One.\n\n  \nTwo.\n' | $0 chat --llm local --system-message 'Be brief.'");
	ck_assert_str_eq(said->out, "Hello yourself.\nHello yourself.\n");
	ck_assert_int_eq(sim_stat(sim, "calls"), 2);
	ck_assert_int_eq((int)json_object_array_length(at_json(sim_last_request(sim), "messages")), 4);
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.0.content"), "Be brief.");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.1.content"), "One.");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.2.role"), "assistant");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.2.content"), "Hello yourself.");
	ck_assert_str_eq(at_text(sim_last_request(sim), "messages.3.content"), "Two.");
	said = command_run_line(server, 0, "$0 chat Zero. --llm local </dev/null");
	ck_assert_str_eq(said->out, "Hello yourself.\n");
	/* Where nobody looks on it ends with what failed. */
	sim_control(sim, "{'content_filter_rate':1}");
	said = command_run_line(server, 10, "printf 'One.\nTwo.\n' | $0 chat --llm local");
	ASSERT_SAYS(said->err, "FAILURE: The response was filtered");
	ck_assert_int_eq(sim_stat(sim, "calls"), 4);
	command_run_line(server, 2, "printf 'a\377\n' | $0 chat --llm local");
	command_run_line(server, 27, "echo a | $0 chat --llm nobody");
}
END_TEST

START_TEST(a_template)
{
	const char *path = dir_path(dir_new(), "e.json");
	struct command *said;

	begin(NULL);
	for (int version = 1; version <= 2; version++) {
		file_write(path, text("{\"name\":\"E\",\"prompt_template\":{\"name\":\"T\",\"messages\":\"%d {{a}}\"},"
				      "\"collection\":{\"name\":\"C\",\"variables\":[{\"a\":\"1\"}]}}", version));
		COMMAND(server, 0, "run", path);
	}
	COMMAND(server, 0, "call", "--template", "T", "--variables", "{\"a\":\"tea\"}", "--llm", "local");
	ck_assert_str_eq(asked(), "2 tea");
	said = COMMAND(server, 23, "call", "--template", "T", "--llm", "local");
	ASSERT_SAYS(said->err, "a: expected a value for this placeholder");

	ASSERT_SAYS(COMMAND(server, 0, "template", "show", "T")->out, "user: 2 {{a}}");
	ASSERT_SAYS(COMMAND(server, 0, "template", "show", "T", "--revision", "1")->out, "user: 1 {{a}}");
	COMMAND(server, 27, "template", "show", "T", "--revision", "3");
}
END_TEST

START_TEST(what_is_wrong)
{
	static const struct {
		const char *line, *says;
		int status;
	} lines[] = {
		{ "$0 call </dev/null", "standard input: no text", 2 },
		{ "printf '\\n\\n' | $0 call", "standard input: no text", 2 },
		{ "printf '\\377' | $0 call", "standard input: not valid UTF-8 text", 2 },
		{ "printf 'a\\0b' | $0 call", "standard input: not valid UTF-8 text", 2 },
		{ "$0 call \"$(printf 'a\\377')\"", "TEXT: not valid UTF-8 text", 2 },
		{ "$0 call ''", "TEXT: no text", 2 },
		{ "$0 call --file /nowhere", "/nowhere: No such file or directory", 2 },
		{ "$0 call a --file b", "call: expected either TEXT", 2 },
		{ "$0 call a --template T", "call: expected either TEXT", 2 },
		{ "$0 call a --temperature 9", "--temperature 9: expected 0 to 2", 23 },
		{ "$0 call a --llm nobody", "no llm_config named 'nobody'", 27 },
		{ "$0 call --template T", "no prompt_template named 'T'", 27 },
		{ "$0 call a --llm local", "FAILURE: The response was filtered", 10 },
	};

	begin("--content_filter_rate=1");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct command *said = command_run_line(server, lines[i].status, lines[i].line);

		ck_assert_str_eq(said->out, "");
		ASSERT_SAYS(said->err, lines[i].says);
	}
}
END_TEST

/* Ctrl-C cancels it, and nothing is offered to be continued. */
START_TEST(ctrl_c)
{
	struct command *call;

	begin("--latency_seconds=3600");
	call = command_start(server, (const char *[]) { "call", "Hello", "--llm", "local", NULL });
	sim_await(sim, "in_flight", 1);
	command_signal(call, SIGINT);
	ck_assert_int_eq(command_end(call), 12);
	ck_assert_str_eq(call->out, "");
	ASSERT_SAYS(call->err, "task 1: REVOKED");
	ck_assert_ptr_null(strstr(call->err, "Continue"));
	sim_await(sim, "closed_early", 1);
}
END_TEST

/* What a shell runs in the background is not meant by a Ctrl-C. */
START_TEST(ctrl_c_in_the_background)
{
	struct command *call;

	begin("--latency_seconds=3600");
	call = command_start_line(server, "trap '' INT; exec $0 call Hello --llm local");
	sim_await(sim, "in_flight", 1);
	command_signal(call, SIGINT);
	COMMAND(server, 0, "task", "cancel", "1");
	ck_assert_int_eq(command_end(call), 12);
	ck_assert_ptr_null(strstr(call->err, "Cancelling"));
}
END_TEST

START_TEST(detached)
{
	struct command *said;

	begin("--latency_seconds=3600");
	said = COMMAND(server, 0, "call", "Hello", "--llm", "local", "--detach");
	ck_assert_str_eq(said->out, "Task 1, STARTED\n");
	/* Where nothing can be written, there is nothing to wait for. */
	command_run_line(server, 71, "$0 monitor >/dev/full");
	command_run_line(server, 71, "$0 monitor --json >/dev/full");
	COMMAND(server, 0, "task", "cancel", "1");
	sim_control(sim, "{'latency_seconds':0}");
	COMMAND(server, 0, "call", "Hello", "--llm", "local", "--detach", "--name", "Second");
	said = COMMAND(server, 0, "task", "watch", "2");
	ASSERT_SAYS(said->out, "Task 2 is SUCCESS.\n");
	ck_assert_uint_gt(strlen(said->out), strlen("Task 2 is SUCCESS.\n"));
	said = COMMAND(server, 0, "task", "show", "2");
	ASSERT_SAYS(said->out, "Name         Second\n");
	ASSERT_SAYS(said->out, "Result       ");
}
END_TEST

START_TEST(llm_test)
{
	struct command *said;

	begin(NULL);
	said = COMMAND(server, 0, "llm", "test", "local");
	ASSERT_SAYS(said->out, "Model        m\nLatency      ");
	ASSERT_SAYS(COMMAND(server, 0, "llm", "test", "local", "--json")->out, "\n{\"model\":\"m\",\"latency_seconds\":");
	ASSERT_SAYS(COMMAND(server, 0, "task", "show", "1")->out, "Result       m, in ");
	sim_control(sim, "{'api_key':'sk-right'}");
	said = COMMAND(server, 10, "llm", "test", "local");
	ck_assert_str_eq(said->out, "");
	ASSERT_SAYS(said->err, text("FAILURE: 401 from %s/chat/completions: Incorrect API key provided.", sim_url(sim)));
	ASSERT_SAYS(said->err, "(the config has no api_key)");
	ASSERT_SAYS(COMMAND(server, 27, "llm", "test", "loca")->err, "Did you mean local?");
}
END_TEST

/* In the words of who gave the options. */
START_TEST(options_and_operands)
{
	struct command *said;

	begin(NULL);
	json_object_put(experiment_run(wire, &(struct experiment) { .rows = 1, .n_criteria = 1, .name = "E" }));
	said = COMMAND(server, 0, "experiment", "response", "1");
	ASSERT_SAYS(said->out, "Response 1, row 1, epoch 1\n");
	ASSERT_SAYS(said->out, "\nExperiment: E\n");
	said = COMMAND(server, 23, "experiment", "clone", "E", "--evaluators", "Completeness,Faithfulness");
	ASSERT_SAYS(said->err, "--evaluators Completeness,Faithfulness: Faithfulness: expected only columns");
	said = COMMAND(server, 23, "experiment", "clone", "E", "--evaluators", "Faithfulness");
	ASSERT_SAYS(said->err, "--evaluators Faithfulness: expected only columns");
	said = COMMAND(server, 23, "experiment", "show", "a\tb");
	ASSERT_SAYS(said->err, "elluminate: a?b: expected 1 to 200 characters");
	said = COMMAND(server, 0, "run", "--help");
	for (const char *line = strstr(said->out, "\nOptions:"); line; line = strchr(line + 1, '\n'))
		ck_assert_msg(strcspn(line + 1, "\n") <= 80, "too long: %.100s", line + 1);
}
END_TEST

int main(void)
{
	return RUN_SUITE(text_in_text_out, more_than_a_text, as_it_comes, a_conversation, a_template, what_is_wrong, ctrl_c, ctrl_c_in_the_background, detached,
			 llm_test, options_and_operands);
}
