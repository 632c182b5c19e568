/*
 * Planted keys, wherever a config may have one: whatever happens with them, they are found nowhere
 * but in the secrets folder and in what the endpoint gets. Every method of the interface is asked.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/base/sha256.h"
#include "proto/generated/interface.h"
#include "proto/record/record.h"
#include "proto/wire/method.h"
#include "tests/harness/suite.h"
#include "tests/harness/users.h"
#include "tests/integration/key_echo.h"
#include "tests/integration/request.h"

static char *answers; // everything that any method has answered
static unsigned n_found;
static const char *secrets_dir;

static char *random_key(void)
{
	unsigned char bytes[16];
	char *key = text("sk-%032d", 0);

	ck_assert_int_eq(getrandom(bytes, sizeof(bytes), 0), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(key + 3 + 2 * i, "%02x", bytes[i]);
	return key;
}

/* A call whose answer, good or bad, is kept. */
static json_object *ask(struct wire *wire, const char *flags, const char *method,
			const char *parameters)
{
	json_object *reply = NULL;

	wire_start(wire, flags, method, "%s", parameters);
	do {
		json_object_put(reply);
		reply = wire_next(wire);
		answers = text("%s\n%s", answers, json_object_to_json_string(reply));
	} while (at_has(reply, "continues"));
	return reply;
}

/* ---- Four keys, one for each place ---- */

enum place { BY_KEY, BY_HEADER, BY_BODY, BY_QUERY, _PLACE_MAX };

static char *keys[_PLACE_MAX];

/* The members of a config that has them all; `path` of the endpoint begins with its status. */
static char *keyed_members(const char *provider, const char *url)
{
	return text("\"provider\":\"%s\",\"llm_model_name\":\"m\",\"llm_base_url\":\"%s?key=%s\","
		    "\"api_key\":\"%s\",\"extra_headers\":{\"X-Secret\":\"%s\"},\"max_retries\":1,"
		    "\"extra_body\":{\"user\":{\"token\":\"%s\"}}",
		    provider, url, keys[BY_QUERY], keys[BY_KEY], keys[BY_HEADER], keys[BY_BODY]);
}

/* How methods are called where the tables of the interface alone would not find what has a key: `$T` is
 * every task's id, `$E` every experiment's, `$t` and `$e` the first one's. */
static const struct {
	const char *method;
	const char *parameters;
} calls[] = {
	{ "GetPromptTemplate", "{'prompt_template':{'name':'one prompt'}}" },
	{ "CreateCollection", "{'collection':{'name':'C'}}" },
	{ "GetCollection", "{'collection':{'name':'one rows'}}" },
	{ "AddTemplateVariables", "{'collection':{'name':'C'},'variables':[{'a':'b'}]}" },
	{ "ClearCollection", "{'collection':{'name':'C'}}" },
	{ "ListTemplateVariables", "{'collection':{'name':'one rows'}}" },
	{ "ListCollections", "{}" },
	{ "DeleteCollection", "{'collection':{'name':'C'}}" },
	{ "CreateCriterionSet", "{'criterion_set':{'name':'S'}}" },
	{ "GetOrCreateCriterionSet", "{'criterion_set':{'name':'S'}}" },
	{ "UpdateCriterionSet", "{'criterion_set':{'name':'S'},'content':{'name':'S'}}" },
	{ "GetCriterionSet", "{'criterion_set':{'name':'S'}}" },
	{ "ListCriterionSets", "{}" },
	{ "AddCriteria", "{'criterion_set':{'name':'S'},'criteria':[{'criterion_str':'A?'}]}" },
	{ "LinkCriterionSet", "{'criterion_set':{'name':'S'},'prompt_template':{'name':'one prompt'}}" },
	{ "UnlinkCriterionSet", "{'criterion_set':{'name':'S'},'prompt_template':{'name':'one prompt'}}" },
	{ "ClearCriterionSet", "{'criterion_set':{'name':'S'}}" },
	{ "DeleteCriterion", "{'id':1}" },
	{ "DeleteCriterionSet", "{'criterion_set':{'name':'S'}}" },
	{ "Call", "{'messages':[{'role':'user','content':'Hi'}],'llm_config':{'ref':{'name':'keyed'}}}" },
	{ "CreateLLMConfig", "{'llm_config':{'name':'keyed','provider':'simulated'}}" },
	{ "GetOrCreateCollection", "{'collection':{'name':'D'}}" },
	{ "GetOrCreateLLMConfig", "{'llm_config':{'name':'keyed','provider':'simulated'}}" },
	{ "GetLLMConfig", "{'llm_config':{'name':'keyed'}}" },
	{ "DeleteLLMConfig", "{'llm_config':{'name':'echo 503'}}" },
	{ "ListLLMConfigs", "{}" },
	{ "GetProject", "{}" },
	{ "UpdateCollection", "{'collection':{'name':'D'},'content':{'name':'D'}}" },
	{ "UpdateLLMConfig", "{'llm_config':{'name':'keyed'},'content':{'name':'keyed','provider':'openai',"
			     "'llm_model_name':'m'}}" },
	{ "TestLLMConfig", "{'llm_config':{'ref':{'name':'keyed'}}}" },
	{ "SetDefaultLLMConfig", "{'llm_config':{'name':'keyed'}}" },
	{ "RunExperiment", "{'experiment':{'id':$e}}" },
	{ "PlanExperiment", "{'run':{'experiment':{'id':$e}}}" },
	{ "GetExperiment", "{'experiment':{'id':$E}}" },
	{ "ListExperiments", "{}" },
	{ "ListResponses", "{'experiment':{'id':$E}}" },
	{ "CompareExperiments", "{'experiments':[{'id':1},{'id':2}]}" },
	{ "GetJudgeAgreement", "{'experiment':{'id':1}}" },
	{ "ListComparedCases", "{'experiments':[{'id':1},{'id':2}]}" },
	{ "ListFlakyRows", "{'experiment':{'id':1}}" },
	{ "ListCosts", "{}" },
	{ "GetResponse", "{'response_id':1}" },
	{ "AnnotateResponse", "{'response_id':1,'annotation':'Hm.'}" },
	{ "EditRating", "{'rating_id':1,'rating':'NO'}" },
	{ "RateResponses", "{'experiment':{'id':$e},'criteria':['Is it good?']}" },
	{ "RateExperiment", "{'experiment':{'id':$e},'criteria':['Is it good?']}" },
	{ "RetryFailed", "{'experiment':{'id':$e}}" },
	{ "ListRatings", "{'experiment':{'id':$E}}" },
	{ "GetTask", "{'id':$T}" },
	{ "ListTasks", "{}" },
	{ "WatchTask", "{'id':$T,'after_sequence':0}" },
	{ "ListTaskLogs", "{'id':$T}" },
	{ "CancelTask", "{'id':$t}" },
	{ "PauseTask", "{'id':$t}" },
	{ "ResumeTask", "{'id':$t}" },
	{ "TuneTask", "{'id':$t,'priority':'batch'}" },
	{ "RetryTask", "{'id':$t}" },
	{ "PruneTasks", "{'older_than_seconds':86400}" },
	{ "GetStatus", "{}" },
	{ "Monitor", NULL }, // read all the time: see watch_all()
	{ "Drain", "{'undo':true}" },
	{ "Reload", "{}" },
};

static const char *parameters_of(const struct method *method)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (strcmp(calls[i].method, method->name) == 0)
			return calls[i].parameters ? calls[i].parameters : "";
	return request_record(method->request, NULL);
}

static void ask_for(struct wire *wire, const struct method *method, const char *parameters,
		    const char *ids, json_object *items)
{
	const char *flags = method->replies == METHOD_REPLIES_ONE ||
			    method->replies == METHOD_REPLIES_LATE ? "" : "'more':true";
	const char *all = strchr(ids, parameters[strcspn(parameters, "$") + 1]);
	size_t n = all == ids ? json_object_array_length(items) : 1;

	/* The newest come first. */
	for (size_t i = 0; i < n; i++) {
		size_t at = json_object_array_length(items) - 1 - i, head = strcspn(parameters, "$");

		ask(wire, flags, method->name,
		    requoted(text("%.*s%lld%s", (int)head, parameters,
				  (long long)at_int(json_object_array_get_idx(items, at), "id"),
				  parameters + head + 2)));
	}
}

static void ask_everything(struct wire *wire)
{
	json_object *tasks = list_all(wire, "ListTasks", "%s", "");
	json_object *experiments = list_all(wire, "ListExperiments", "%s", "");

	for (size_t i = 0; i < interfaces[0]->n_methods; i++) {
		const struct method *method = &interfaces[0]->methods[i];
		const char *parameters = parameters_of(method);

		if (strpbrk(parameters, "$") && strstr(parameters, "experiment"))
			ask_for(wire, method, parameters, "Ee", experiments);
		else if (strpbrk(parameters, "$"))
			ask_for(wire, method, parameters, "Tt", tasks);
		else if (*parameters)
			ask(wire, method->replies == METHOD_REPLIES_PAGES ? "'more':true" : "",
			    method->name, requoted(parameters));
	}
}

/* Reads a Monitor up to the end of that task. */
static void watch_all(struct wire *monitor, int64_t last_task)
{
	json_object *reply;
	bool ended = false;

	while (!ended) {
		reply = wire_next(monitor);
		answers = text("%s\n%s", answers, json_object_to_json_string(reply));
		ended = at_has(reply, "parameters.event") &&
			at_int(reply, "parameters.event.task_id") == last_task &&
			at_is(reply, "parameters.event.status", "SUCCESS");
		json_object_put(reply);
	}
}

static bool look(const char *path, void *userdata)
{
	const char *key = userdata;
	size_t size;
	char *content = file_read(path, &size);
	struct stat status;

	if (!content || !memmem(content, size, key, strlen(key)))
		return true;
	ck_assert_msg(strncmp(path, secrets_dir, strlen(secrets_dir)) == 0, "%s holds the key", path);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	n_found++;
	free(content);
	return true;
}

static void look_for(const struct daemon *daemon, const char *key)
{
	struct stat status;
	size_t size;
	char *arguments;

	ck_assert_msg(!strstr(answers, key), "an answer holds the key");
	ck_assert_msg(!strstr(daemon_log(daemon), key), "the log holds the key");
	arguments = file_read(text("/proc/%d/cmdline", (int)daemon_pid(daemon)), &size);
	ck_assert_ptr_nonnull(arguments);
	ck_assert_ptr_null(memmem(arguments, size, key, strlen(key)));
	secrets_dir = dir_path(daemon_state_dir(daemon), "secrets/");
	ck_assert_int_eq(stat(secrets_dir, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0700);
	n_found = 0;
	dir_each_file(daemon_state_dir(daemon), look, (char *)key);
	ck_assert_uint_gt(n_found, 0);
}

static void look_everywhere(const struct daemon *daemon)
{
	for (int i = 0; i < _PLACE_MAX; i++)
		look_for(daemon, keys[i]);
}

static void look_in_files(const struct daemon *daemon)
{
	for (int i = 0; i < _PLACE_MAX; i++)
		dir_each_file(daemon_state_dir(daemon), look, keys[i]);
}

static json_object *run(struct wire *wire, const char *name, unsigned rows, const char *config)
{
	return ask(wire, "'more':true", "RunExperiment", experiment_request(&(struct experiment) {
		.name = name, .rows = rows, .n_criteria = 1, .more = text("'llm_config':{%s}", config) }));
}

/* By a config of its own, inline, and refused. */
static void make_configs(struct wire *wire, const char *url)
{
	char *members = keyed_members("openai", url);
	json_object *reply;

	reply = ask(wire, "", "CreateLLMConfig",
		    text("{\"llm_config\":{\"name\":\"keyed\",%s}}", members));
	ck_assert(at_bool(reply, "parameters.llm_config.has_api_key"));
	ck_assert(!at_has(reply, "parameters.llm_config.api_key"));
	ck_assert(!at_has(reply, "parameters.llm_config.extra_headers"));
	ck_assert(!at_has(reply, "parameters.llm_config.extra_body"));
	ck_assert_str_eq(at_text(reply, "parameters.llm_config.llm_base_url"), url);
	reply = at_json(reply, "parameters.llm_config.fingerprints");
	ck_assert_int_eq(json_object_object_length(reply), 4);
	ck_assert(json_object_object_get_ex(reply, "extra_headers.X-Secret", NULL));
	ck_assert(json_object_object_get_ex(reply, "extra_body.user", NULL));
	ask(wire, "", "CreateLLMConfig", text("{\"llm_config\":{\"name\":\"keyed\",%s}}", members));
	for (int i = 0; i < _PLACE_MAX; i++)
		ask(wire, "", "CreateLLMConfig",
		    quoted("{'llm_config':{'name':'bad','provider':'%s','api_key':'%s'}}", keys[i],
			   keys[i]));
}

/* Whatever the endpoint says, it says it with the keys. */
static void run_all(struct wire *wire, const char *echo)
{
	static const int statuses[] = { 400, 401, 403, 404, 422, 500, 503 };
	json_object *reply;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		char *members = keyed_members("openai", text("%s/%d", echo, statuses[i]));

		reply = run(wire, text("echo %d", statuses[i]), 3,
			    text("\"content\":{\"name\":\"echo %d\",%s}", statuses[i], members));
		ck_assert_str_eq(at_text(reply, "parameters.event.status"), "FAILURE");
		ck_assert_ptr_nonnull(strstr(at_text(reply, "parameters.event.error.message"),
					     "4 of them"));
	}
}

/* Each provider has a way of its own to be sent a key. */
static void ask_all_providers(struct wire *wire, const char *echo)
{
	const struct record_field *field = record_field_find(&ellu_llm_config_type, "provider");
	const char *custom = ",\"custom\":{\"body\":{\"q\":\"{{prompt}}\",\"k\":\"{{key}}\"},\"text\":\"\"}";

	for (const char *const *name = field->one_of; *name; name++) {
		json_object *reply;

		if (strcmp(*name, "simulated") == 0)
			continue;
		reply = ask(wire, "'more':true", "Call",
			    text("{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"llm_config\":"
				 "{\"content\":{\"name\":\"by %s\",%s%s}}}", *name,
				 keyed_members(*name, text("%s/401", echo)),
				 strcmp(*name, "custom") == 0 ? custom : ""));
		ck_assert_msg(strstr(json_object_to_json_string(reply), "4 of them"), "%s: %s", *name,
			      json_object_to_json_string(reply));
	}
}

static struct experiment batch_of(const char *provider, const char *url)
{
	return (struct experiment) {
		.name = text("batch %s %s", provider, url), .rows = 1,
		.more = text("\"llm_config\":{\"content\":{\"name\":\"batch %s %s\",%s}},\"batch\":true", provider,
			     strrchr(url, '/') + 1, keyed_members(provider, url)),
	};
}

/* What is refused, and an id of a file or of a batch, which no key is. */
static void ask_batches(struct wire *wire, const char *echo)
{
	static const char *const providers[] = { "openai", "anthropic" };

	for (size_t i = 0; i < sizeof(providers) / sizeof(*providers); i++) {
		struct experiment refused = batch_of(providers[i], text("%s/401", echo));
		struct experiment taken = batch_of(providers[i], text("%s/200", echo));
		json_object *reply = ask(wire, "'more':true", "RunExperiment", experiment_request(&refused));
		double deadline = now_seconds() + WAIT_SECONDS;
		int64_t id;

		ck_assert_ptr_nonnull(strstr(at_text(reply, "parameters.event.error.message"), "4 of them"));
		id = experiment_submit(wire, &taken);
		while (!strstr(task_logs(wire, id), "has no usable id"))
			ck_assert(now_seconds() < deadline);
		wire_call(wire, "CancelTask", "{'id':%lld}", (long long)id);
	}
}

/* The responses of an experiment say how many keys the endpoint got. */
static void must_have_used_all(struct wire *wire, const char *name)
{
	json_object *items = list_all(wire, "ListResponses", "'experiment':{'name':'%s'}", name);

	ck_assert_uint_gt(json_object_array_length(items), 0);
	for (size_t i = 0; i < json_object_array_length(items); i++)
		ck_assert_ptr_nonnull(strstr(at_text(json_object_array_get_idx(items, i),
						     "response_text"), "4 of them: ****"));
}

START_TEST(keys_stay_secret)
{
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.arguments = (const char *[]) { "--log-level=debug", NULL } });
	struct wire *wire = daemon_connect(daemon), *monitor = daemon_connect(daemon);
	const char *echo = key_echo_start();
	json_object *reply;

	for (int i = 0; i < _PLACE_MAX; i++)
		keys[i] = random_key();
	answers = text("%s", "");
	wire_start(monitor, "'more':true", "Monitor", "{}");
	make_configs(wire, text("%s/200", echo));
	run(wire, "one", 20, "'ref':{'name':'keyed'}");
	must_have_used_all(wire, "one");
	run_all(wire, echo);
	ask_all_providers(wire, echo);
	ask_batches(wire, echo);
	ask_everything(wire);
	look_everywhere(daemon);

	/* In the write-ahead log and elsewhere, too, after a crash and a recovery. */
	reply = ask(wire, "", "RunExperiment", experiment_request(&(struct experiment) {
		.name = "last", .rows = 1 }));
	watch_all(monitor, at_int(reply, "parameters.task.id"));
	daemon_kill(daemon);
	look_in_files(daemon);
	daemon_restart(daemon);
	wire = daemon_connect(daemon);
	run(wire, "four", 5, "'ref':{'name':'keyed'}");
	must_have_used_all(wire, "four");
	ask_everything(wire);
	look_everywhere(daemon);
	ck_assert_int_eq(daemon_stop(daemon), 0);
	look_in_files(daemon);
}
END_TEST

static bool has_no_bytes(const char *path, void *key)
{
	size_t size;
	char *content = file_read(path, &size);

	ck_assert_msg(!content || !memmem(content, size, key, SHA256_SIZE), "%s holds a signing key", path);
	free(content);
	return true;
}

/* What a secret makes for the day, the region and the service, in both ways to write it. */
static void look_for_signing_key(const struct daemon *daemon, const char *secret)
{
	const char *steps[] = { NULL, "eu-west-1", "bedrock", "aws4_request" };
	char *first = text("AWS4%s", secret), digits[SHA256_TEXT_SIZE], date[16];
	time_t now = time(NULL);
	uint8_t key[SHA256_SIZE];

	strftime(date, sizeof(date), "%Y%m%d", gmtime(&now));
	steps[0] = date;
	for (int i = 0; i < 4; i++) {
		sha256_hmac(i == 0 ? (void *)first : key, i == 0 ? strlen(first) : SHA256_SIZE, steps[i],
			    strlen(steps[i]), key);
		sha256_text(key, digits);
		n_found = 0;
		dir_each_file(daemon_state_dir(daemon), look, digits);
		dir_each_file(daemon_state_dir(daemon), has_no_bytes, key);
		ck_assert_uint_eq(n_found, 0);
		ck_assert(!strstr(answers, digits) && !strstr(daemon_log(daemon), digits));
	}
}

/* A key of three parts, one of which never goes out: it signs. */
START_TEST(keys_that_sign)
{
	static const int statuses[] = { 400, 403 };
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.arguments = (const char *[]) { "--log-level=debug", NULL } });
	struct wire *wire = daemon_connect(daemon);
	char *key = random_key(), *secret = random_key(), *session = random_key();
	const char *echo = key_echo_start();

	answers = text("%s", "");
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		json_object *reply = run(wire, text("signed %d", statuses[i]), 3, text(
			"'content':{'name':'signed %d','provider':'bedrock','llm_model_name':'m',"
			"'llm_base_url':'%s/%d','api_key':'%s:%s:%s','custom':{'region':'eu-west-1'}}",
			statuses[i], echo, statuses[i], key, secret, session));

		ck_assert_msg(at_is(reply, "parameters.event.status", "FAILURE") &&
			      strstr(at_text(reply, "parameters.event.error.message"), "2 of them: ****"),
			      "%s", json_object_to_json_string(reply));
	}
	ask_everything(wire);
	look_for(daemon, key);
	look_for(daemon, secret);
	look_for(daemon, session);
	look_for_signing_key(daemon, secret);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* A file that begins like one of certificates. */
static char *certificates(void)
{
	char *path = text("%s/ca.pem", dir_new());
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs("-----BEGIN CERTIFICATE-----\n", file);
	fclose(file);
	return path;
}

/* What moves a config asks for its key again; what does not, keeps it. */
START_TEST(moving_asks_for_the_key)
{
	char *ca_file = certificates();
	const struct {
		const char *members;
		bool kept;
	} cases[] = {
		{ "'max_connections':3", true },
		{ "'extra_body':{'top':1}", true },
		{ "'extra_headers':{'X-Other':'1'}", false },
		{ "'proxy':'http://127.0.0.1:9'", false },
		{ text("'ca_file':'%s'", ca_file), false },
		{ NULL, false }, // another query of the URL
	};
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	char *key = random_key();
	struct sim *sim = sim_start((const char *[]) { text("--api_key=%s", key), NULL });
	json_object *reply;

	experiment_run(wire, &(struct experiment) {
		.name = "E", .rows = 1, .url = sim_url(sim), .api_key = key });
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *members = cases[i].members;

		wire_start(wire, "", "RunExperiment", "%s", experiment_request(&(struct experiment) {
			.name = "E", .rows = 1,
			.more = text("'update_existing':true,'run_afresh':true,'llm_config':{'content':{"
				     "'name':'E config','provider':'openai','llm_model_name':'m','llm_base_url':"
				     "'%s%s'%s%s}}", sim_url(sim), members ? "" : "?other=1",
				     members ? "," : "", members ? members : "") }));
		reply = wire_next(wire);
		if (cases[i].kept)
			ck_assert_msg(at_is(reply, "parameters.task.status", "SUCCESS"), "%s",
				      json_object_to_json_string(reply));
		else
			ck_assert_msg(at_is(reply, "parameters.parameter", "llm_config.content.api_key"),
				      "%zu: %s", i, json_object_to_json_string(reply));
	}
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

/* Said when the config is made, and not again. */
START_TEST(a_key_in_plain_sight)
{
	static const char said[] = "goes unencrypted over http";
	struct daemon *daemon = daemon_start(NULL);
	struct wire *wire = daemon_connect(daemon);
	const struct experiment far = {
		.name = "far", .rows = 1, .url = "http://far.invalid/v1", .api_key = "sk-far",
		.config = "'max_retries':0" };
	json_object *task = NULL, *asked;
	const char *log;
	int n;

	wire_call(wire, "PlanExperiment", "{\"run\":%s}", experiment_request(&far));
	for (int i = 0; i < 2; i++)
		task = experiment_run(wire, &(struct experiment) {
			.name = "far", .rows = 1, .url = "http://far.invalid/v1", .api_key = "sk-far",
			.config = "'max_retries':0",
			.more = "'update_existing':true,'run_afresh':true" });
	experiment_run(wire, &(struct experiment) {
		.name = "near", .rows = 1, .url = "http://[::1]:9/v1", .api_key = "sk-near",
		.config = "'max_retries':0" });
	asked = experiment_run(wire, &(struct experiment) {
		.name = "asked", .rows = 1, .url = "http://far.invalid/v1?key=sk-asked",
		.config = "'max_retries':0" });
	ck_assert_ptr_null(strstr(task_logs(wire, at_int(task, "id")), said));
	ck_assert_ptr_nonnull(strstr(task_logs(wire, 1), said));
	ck_assert_ptr_nonnull(strstr(task_logs(wire, at_int(asked, "id")), said));
	ck_assert_int_eq(daemon_stop(daemon), 0);
	log = daemon_log(daemon);
	for (n = 0; (log = strstr(log, said)); log++)
		n++;
	ck_assert_int_eq(n, 2); // one a config
}
END_TEST

/* A reference keeps the key out of the state folder altogether. */
START_TEST(references)
{
	char *key = random_key(), *file = text("%s/key", dir_new());
	struct daemon *daemon = daemon_start(&(struct daemon_options) {
		.environment = (const char *[]) { text("ELLU_TEST_KEY=%s", key), NULL } });
	struct wire *wire = daemon_connect(daemon);
	struct sim *sim = sim_start((const char *[]) { text("--api_key=%s", key), NULL });
	const char *const refs[] = { "env:ELLU_TEST_KEY", text("file:%s", file) };
	static const char *const none[] = { "env:", "env:A=B", "file:/", "file:key", "credential:",
					    "credential:../k", "credential:a/b", "vault:k" };

	answers = text("%s", "");
	file_write(file, text("%s\n", key));
	for (size_t i = 0; i < 2; i++) {
		json_object *reply = ask(wire, "", "RunExperiment", experiment_request(
			&(struct experiment) {
				.name = text("by %zu", i), .rows = 3, .url = sim_url(sim),
				.config = text("'api_key_ref':'%s'", refs[i]) }));

		ck_assert_msg(at_is(reply, "parameters.task.status", "SUCCESS"), "%s",
			      json_object_to_json_string(reply));
	}
	/* What can be no reference is refused, whatever there is. */
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
		json_object *reply = wire_refused(wire, "org.varlink.service.InvalidParameter", "CreateLLMConfig",
						  "{'llm_config':{'name':'r','provider':'openai','llm_model_name':'m',"
						  "'llm_base_url':'%s','api_key_ref':'%s'}}", sim_url(sim), none[i]);

		ck_assert_str_eq(at_text(reply, "parameters.parameter"), "llm_config.api_key_ref");
	}
	ask(wire, "'more':true", "ListLLMConfigs", "{}");
	ck_assert(!strstr(answers, key));
	ck_assert(!strstr(daemon_log(daemon), key));
	secrets_dir = "none";
	dir_each_file(daemon_state_dir(daemon), look, key);
	ck_assert_int_eq(daemon_stop(daemon), 0);
}
END_TEST

int main(void)
{
	return RUN_SUITE(keys_stay_secret, keys_that_sign, moving_asks_for_the_key,
			 a_key_in_plain_sight, references);
}
