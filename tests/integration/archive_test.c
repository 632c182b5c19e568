/* Experiments and collections that move to another daemon in an archive: `elluminate export` and `import`. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

#define ROWS 40
#define BLOCK 512

static struct daemon *here, *there;
static struct wire *wire, *far; // to them
static const char *folder;

static void begin(void)
{
	folder = dir_new();
	here = daemon_start(NULL);
	there = daemon_start(NULL);
	wire = daemon_connect(here);
	far = daemon_connect(there);
}

static void end(void)
{
	ck_assert_int_eq(daemon_stop(here), 0);
	ck_assert_int_eq(daemon_stop(there), 0);
}

/* Some of its answers failed, and so did some verdicts; one was overruled, another annotated. */
static void run_here(unsigned rows)
{
	json_object *items;
	char *list = text("%s", "");

	for (unsigned i = 0; i < rows; i++)
		list = text("%s%s{\"topic\":\"t%u\",\"n\":%u}", list, i ? "," : "", i, i % 7);
	json_object_put(wire_call(wire, "CreateCollection", "{'collection':{'name':'Topics','description':'d',"
				  "'columns':[{'name':'topic','type':'text','default_value':'x'},"
				  "{'name':'n','type':'json'}],'variables':[%s]}}", list));
	json_object_put(wire_call(wire, "RunExperiment", "%s", requoted(
		"{'name':'Haiku','description':'five seven five','prompt_template':{'content':{'name':'Haiku',"
		"'messages':[{'role':'system','content':'Be brief.'},{'role':'user','content':'On {{topic}}.'}]}},"
		"'collection':{'ref':{'name':'Topics'}},'measures':[{'criterion_str':'Is it good?','label':'good'},"
		"{'criterion_str':'long','check':{'kind':'length','value':'1..'}}],'llm_config':{'content':"
		"{'name':'shaky','provider':'simulated','llm_model_name':'s1','max_retries':0,"
		"'custom':{'error_rate':0.3}}},'rating_llm_config':{'content':{'name':'doubtful','provider':"
		"'simulated','llm_model_name':'s2','custom':{'bad_verdict_rate':0.5}}},"
		"'rating_mode':'detailed','n_epochs':2,'generation_params':{'temperature':0.5}}")));
	items = list_all(wire, "ListResponses", "'experiment':{'name':'Haiku'},'failed':false,'rating':'YES',"
			 "'criterion_id':1");
	json_object_put(wire_call(wire, "AnnotateResponse", "{'response_id':%lld,'annotation':'well said'}",
				  (long long)at_int(items, "0.id")));
	json_object_put(wire_call(wire, "EditRating", "{'response_id':%lld,'criterion_id':1,'rating':'NO',"
				  "'reasoning':'not at all'}", (long long)at_int(items, "1.id")));
}

/* What is another one everywhere. */
static void forget(json_object *json)
{
	static const char *const own[] = { "id", "response_id", "criterion_id", "created_at", "updated_at" };

	if (json_object_is_type(json, json_type_object)) {
		for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
			json_object_object_del(json, own[i]);
		json_object_object_foreach(json, name, value)
		{
			(void)name;
			forget(value);
		}
	}
	for (size_t i = 0; json_object_is_type(json, json_type_array) && i < json_object_array_length(json); i++)
		forget(json_object_array_get_idx(json, i));
}

static void same(json_object *a, json_object *b)
{
	forget(a);
	forget(b);
	ck_assert_str_eq(json_object_to_json_string(a), json_object_to_json_string(b));
}

static void check_there(void)
{
	json_object *a, *b;

	a = wire_call(wire, "GetExperiment", "{'experiment':{'name':'Haiku'}}");
	b = wire_call(far, "GetExperiment", "{'experiment':{'name':'Haiku'}}");
	json_object_object_del(at_json(b, "experiment"), "task_id");
	json_object_object_del(at_json(a, "experiment"), "task_id");
	ck_assert(at_int(a, "experiment.results.failed_responses") > 0);
	ck_assert(at_int(a, "experiment.results.failed_ratings") > 0);
	same(a, b);
	same(list_all(wire, "ListResponses", "'experiment':{'name':'Haiku'}"),
	     list_all(far, "ListResponses", "'experiment':{'name':'Haiku'}"));
	same(list_all(wire, "ListTemplateVariables", "'collection':{'name':'Topics'}"),
	     list_all(far, "ListTemplateVariables", "'collection':{'name':'Topics'}"));
}

START_TEST(an_experiment)
{
	const char *path;

	begin();
	path = dir_path(folder, "x.tar");
	run_here(ROWS);
	/* Rows that came later are none of its. */
	json_object_put(wire_call(wire, "AddTemplateVariables", "{'collection':{'name':'Topics'},"
				  "'variables':[{'topic':'late'}]}"));
	ASSERT_SAYS(COMMAND(here, 0, "export", "Haiku", "-o", path)->err, "Exported: 40 cases, 80 answers.");
	ASSERT_SAYS(COMMAND(there, 0, "import", path)->out, "Haiku, version 1");
	json_object_put(wire_call(wire, "DeleteTemplateVariables", "{'collection':{'name':'Topics'},'ids':[%lld]}",
				  (long long)at_int(list_all(wire, "ListTemplateVariables",
							     "'collection':{'name':'Topics'}"), "40.id")));
	check_there();
	/* Once more it changes nothing; what came of it is exported alike. */
	COMMAND(there, 0, "import", path, "-q");
	check_there();
	COMMAND(there, 0, "export", "Haiku", "-o", dir_path(folder, "y.tar"));
	json_object_put(wire_call(wire, "CreateProject", "{'project':{'name':'review'}}"));
	COMMAND(here, 0, "import", dir_path(folder, "y.tar"), "--project", "review");
	same(list_all(wire, "ListResponses", "'experiment':{'name':'Haiku'}"),
	     list_all(wire, "ListResponses", "'project':'review','experiment':{'name':'Haiku'}"));
	/* Nothing was asked for there. */
	ck_assert_int_eq(database_int(there, "SELECT count(*) FROM tasks"), 2);
	ck_assert_int_eq(database_int(there, "SELECT sum(input_tokens) FROM run_epochs"), 0);
	end();
}
END_TEST

START_TEST(what_is_in_the_way)
{
	const char *path;
	struct command *refused;

	begin();
	path = dir_path(folder, "x.tar");
	run_here(8);
	COMMAND(here, 0, "export", "Haiku", "-o", path);
	/* The template has other versions there, and the config's name is another model's. */
	json_object_put(wire_call(far, "CreatePromptTemplate", "{'prompt_template':{'name':'Haiku','messages':"
				  "[{'role':'user','content':'another'}]}}"));
	json_object_put(wire_call(far, "CreateLLMConfig", "{'llm_config':{'name':'doubtful','provider':'openai',"
				  "'llm_model_name':'m','llm_base_url':'http://127.0.0.1:9/v1'}}"));
	ASSERT_SAYS(COMMAND(there, 0, "import", path)->out, "Haiku, version 2");
	ck_assert_int_eq(database_int(there, "SELECT count(*) FROM llm_configs WHERE name = 'doubtful, imported'"), 1);
	ASSERT_SAYS(COMMAND(there, 0, "import", path, "--name", "Again")->out, "Again ");
	/* Another experiment has the name, and other rows the collection. */
	json_object_put(wire_call(far, "DeleteExperiment", "{'experiment':{'name':'Haiku'}}"));
	json_object_put(wire_call(far, "CreateExperiment", "{'name':'Haiku','collection':{'ref':{'name':'Topics'}},"
				  "'criterion_set':{'name':'Haiku criteria'}}"));
	refused = COMMAND(there, 28, "import", path);
	ASSERT_SAYS(refused->err, "the experiment Haiku is here already");
	json_object_put(wire_call(far, "AddTemplateVariables", "{'collection':{'name':'Topics'},"
				  "'variables':[{'topic':'another'}]}"));
	refused = COMMAND(there, 28, "import", path);
	ASSERT_SAYS(refused->err, "the collection Topics is here already, with other rows");
	ck_assert_int_eq(database_int(there, "SELECT variables_count FROM collections"), 9);
	end();
}
END_TEST

START_TEST(a_collection)
{
	const char *path;

	begin();
	path = dir_path(folder, "topics.tar");
	run_here(8);
	COMMAND(here, 0, "collection", "export", "Topics", "-o", path);
	COMMAND(there, 0, "import", path);
	same(wire_call(wire, "GetCollection", "{'collection':{'name':'Topics'}}"),
	     wire_call(far, "GetCollection", "{'collection':{'name':'Topics'}}"));
	same(list_all(wire, "ListTemplateVariables", "'collection':{'name':'Topics'}"),
	     list_all(far, "ListTemplateVariables", "'collection':{'name':'Topics'}"));
	end();
}
END_TEST

/* Waits until the daemon has so many answers. */
static void await_answers(struct daemon *daemon, int64_t n)
{
	while (database_int(daemon, "SELECT count(*) FROM responses") < n)
		(void)poll(NULL, 0, 1);
}

/* The command, and then the daemon, end in the middle: the same command goes on. */
START_TEST(killed_in_the_middle)
{
	struct command *import;
	const char *path;

	begin();
	path = dir_path(folder, "x.tar");
	run_here(350);
	COMMAND(here, 0, "export", "Haiku", "-o", path);
	import = command_start(there, (const char *const[]) { "import", path, NULL });
	await_answers(there, 1);
	command_signal(import, SIGKILL);
	(void)command_end(import);
	import = command_start(there, (const char *const[]) { "import", path, "--name", "Other", NULL });
	await_answers(there, 701);
	daemon_kill(there);
	(void)command_end(import);
	daemon_restart(there);
	far = daemon_connect(there);
	/* A call is there as a whole, or not at all. */
	ck_assert_int_eq(database_int(there, "SELECT count(*) FROM responses r WHERE r.error IS NULL AND"
					     " (SELECT count(*) FROM ratings g WHERE g.response_id = r.id AND"
					     "  g.judge_id IS NOT NULL) <> 2"), 0);
	COMMAND(there, 0, "import", path, "--name", "Other");
	COMMAND(there, 0, "import", path);
	check_there();
	ck_assert_int_eq(database_int(there, "SELECT count(*) FROM responses"), 1400);
	end();
}
END_TEST

/* ---- Archives from anywhere ---- */

static char *archive;
static size_t size;

/* Of the n-th file; its sum is made right. */
static void seal(size_t at)
{
	unsigned sum = 0;

	memset(archive + at + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)archive[at + i];
	memcpy(archive + at + 148, text("%06o", sum), 7);
}

static void refused(const char *path, size_t n, const char *why)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(archive, 1, n, file), n);
	fclose(file);
	ASSERT_SAYS(COMMAND(there, 2, "import", path)->err, why);
	ck_assert_int_eq(database_int(there, "SELECT count(*) FROM collections"), 0);
}

static void put_back(const char *path)
{
	archive = file_read(path, &size);
}

START_TEST(hostile)
{
	const char *good, *bad;
	size_t rows;

	begin();
	good = dir_path(folder, "good.tar");
	bad = dir_path(folder, "bad.tar");
	run_here(8);
	COMMAND(here, 0, "export", "Haiku", "-o", good);
	put_back(good);
	rows = BLOCK + (strtoul(archive + 124, NULL, 8) + BLOCK - 1) / BLOCK * BLOCK;
	refused(bad, 0, "ends too soon");
	refused(bad, 100, "expected a tar archive");
	refused(bad, BLOCK + 7, "ends in the middle of elluminate.json");
	refused(bad, rows, "ends too soon");
	archive[200] ^= 1;
	refused(bad, size, "expected a tar archive");
	put_back(good);
	archive[rows + 156] = '2'; // a symbolic link
	seal(rows);
	refused(bad, size, "rows.jsonl in it is no plain file");
	put_back(good);
	memcpy(archive + rows, "../../evil", 11);
	seal(rows);
	refused(bad, size, "../../evil in it is nothing that");
	put_back(good);
	memcpy(archive + rows, "elluminate.json", 16);
	seal(rows);
	refused(bad, size, "twice");
	put_back(good);
	memcpy(archive + 124, "77777777777", 11);
	seal(0);
	refused(bad, size, "larger than");
	put_back(good);
	memcpy(archive + rows + 124, "77777777777", 11);
	seal(rows);
	refused(bad, size, "ends in the middle of rows.jsonl");
	put_back(good);
	memcpy(archive + rows + 124, "7x777777777", 11);
	seal(rows);
	refused(bad, size, "the size of rows.jsonl in it is no number");
	put_back(good);
	archive[BLOCK] = '[';
	refused(bad, size, "elluminate.json:");
	put_back(good);
	*strstr(archive + BLOCK, "\":1") = '_'; // no mark any more
	refused(bad, size, "elluminate.json");
	put_back(good);
	archive[rows + BLOCK] = '[';
	refused(bad, size, "rows.jsonl:1");
	end();
}
END_TEST

/* What an archive says of keys and files is not done: it could name those of who takes it in. */
START_TEST(no_keys)
{
	const char *path, *what = "{\"elluminate_archive\":1,\"collection\":{\"name\":\"C\"},\"experiment\":{\"name\":"
				  "\"E\",\"rating_mode\":\"fast\",\"n_epochs\":1,\"total_cases\":1,\"measures\":"
				  "[{\"criterion_str\":\"Is it?\"}],\"prompt_template\":{\"name\":\"T\",\"messages\":"
				  "[{\"role\":\"user\",\"content\":\"x\"}]},\"llm_config\":{\"name\":\"theirs\","
				  "\"provider\":\"openai\",\"llm_model_name\":\"m\",\"llm_base_url\":"
				  "\"http://127.0.0.1:9/v1\",\"api_key_ref\":\"env:HOME\",\"proxy\":"
				  "\"http://127.0.0.1:9\"}}}";

	begin();
	path = dir_path(folder, "x.tar");
	file_write(dir_path(folder, "elluminate.json"), what);
	file_write(dir_path(folder, "rows.jsonl"), "{\"a\":\"1\"}\n");
	command_end(command_start_program(here, "/bin/tar", (const char *const[]) {
		"-C", folder, "-cf", path, "./elluminate.json", "./rows.jsonl", NULL }));
	ASSERT_SAYS(COMMAND(there, 0, "import", path)->err, "a key that it needs did not come with it");
	ck_assert(!at_bool(wire_call(far, "GetLLMConfig", "{'llm_config':{'name':'theirs'}}"),
			   "llm_config.has_api_key"));
	ck_assert_int_eq(database_int(there, "SELECT count(*) FROM llm_configs WHERE name = 'theirs'"), 1);
	ck_assert(!at_has(wire_call(far, "GetLLMConfig", "{'llm_config':{'name':'theirs'}}"), "llm_config.proxy"));
	end();
}
END_TEST

/* ---- JSON a line, for other programs ---- */

/* Each must be JSON; how many are of that type. */
static unsigned n_lines(const char *path, const char *member, const char *type)
{
	char *content = file_read(path, NULL), *rest = content;
	unsigned n = 0;

	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		json_object *json = json_must_parse(line);

		n += type ? at_is(json, member, type) : at_has(json, member);
		json_object_put(json);
	}
	free(content);
	return n;
}

START_TEST(everything)
{
	const char *path;

	begin();
	path = dir_path(folder, "all.jsonl");
	run_here(ROWS);
	json_object_put(wire_call(wire, "CreateProject", "{'project':{'name':'Other'}}"));
	json_object_put(wire_call(wire, "CreateCollection", "{'project':'Other','collection':{'name':'Far',"
				  "'variables':[{'x':1}]}}"));
	json_object_put(wire_call(wire, "CreateLLMConfig", "{'llm_config':{'name':'keyed','provider':'openai',"
				  "'llm_model_name':'m','llm_base_url':'http://127.0.0.1:9/v1','api_key':'sk-hidden'}}"));
	json_object_put(wire_call(wire, "NewPromptTemplateVersion", "{'prompt_template':{'name':'Haiku'},"
				  "'messages':[{'role':'user','content':'Of {{topic}}.'}]}"));
	COMMAND(here, 0, "export", "--all", "-o", path);
	ck_assert_uint_eq(n_lines(path, "type", "export"), 1);
	ck_assert_uint_eq(n_lines(path, "type", "project"), 2);
	ck_assert_uint_eq(n_lines(path, "type", "prompt_template"), 2);
	ck_assert_uint_eq(n_lines(path, "type", "template_variables"), ROWS + 1);
	ck_assert_uint_eq(n_lines(path, "type", "response"), 2 * ROWS);
	ck_assert_uint_eq(n_lines(path, "record.annotation", NULL), 1);
	ck_assert_uint_eq(n_lines(path, "type", "experiment"), 1);
	ck_assert_uint_eq(n_lines(path, "type", "task"), 1);
	ck_assert_uint_gt(n_lines(path, "type", "task_log"), 0);
	ck_assert_uint_gt(n_lines(path, "type", "llm_config"), 3);
	ck_assert_uint_ge(n_lines(path, "project", "Other"), 2);
	ck_assert_ptr_null(strstr(file_read(path, NULL), "sk-hidden"));
	COMMAND(here, 0, "export", "--all", "--project", "Other", "-o", path);
	ck_assert_uint_eq(n_lines(path, "type", "response"), 0);
	ck_assert_uint_eq(n_lines(path, "type", "template_variables"), 1);
	ASSERT_SAYS(COMMAND(here, 2, "export", "--all", "Haiku")->err, "expected no experiment");
	ASSERT_SAYS(COMMAND(here, 2, "export")->err, "or --all");
	end();
}
END_TEST

START_TEST(evals_log)
{
	const char *path;
	unsigned n;

	begin();
	path = dir_path(folder, "log.jsonl");
	run_here(ROWS);
	COMMAND(here, 0, "export", "Haiku", "-o", path);
	ck_assert_uint_eq(n_lines(path, "spec.completion_fns.0", "s1"), 1);
	ck_assert_uint_eq(n_lines(path, "final_report.accuracy", NULL), 1);
	ck_assert_uint_eq(n_lines(path, "type", "sampling"), 2 * ROWS);
	ck_assert_uint_eq(n_lines(path, "data.prompt.1.content", NULL), 2 * ROWS);
	n = n_lines(path, "type", "match");
	ck_assert_uint_gt(n, ROWS);
	ck_assert_uint_eq(n_lines(path, "type", "metrics"), 2 * n);
	ck_assert_uint_eq(n_lines(path, "created_by", "elluminate"), 2 * ROWS + 3 * n);
	ASSERT_SAYS(COMMAND(here, 27, "export", "nothing", "-o", path)->err, "nothing");
	end();
}
END_TEST

int main(void)
{
	return RUN_SUITE(an_experiment, what_is_in_the_way, a_collection, killed_in_the_middle, hostile, no_keys, everything, evals_log);
}
