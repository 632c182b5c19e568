/* The command's ways to rate again: an experiment, some of its responses, any responses. */
#include <string.h>

#include "tests/harness/command.h"
#include "tests/harness/suite.h"

static struct daemon *server;
static struct wire *wire;

/* Three responses, rated by one criterion. */
static void begin(void)
{
	server = daemon_start(NULL);
	wire = daemon_connect(server);
	experiment_run(wire, &(struct experiment) { .name = "Rated", .rows = 3, .n_criteria = 1 });
}

/* The list that ends the output of --json. */
static json_object *last_list(const struct command *command)
{
	const char *list = strstr(command->out, "{\"items\":[");

	ck_assert_msg(list, "%s", command->out);
	return json_must_parse(list);
}

START_TEST(an_experiment)
{
	struct command *said;
	json_object *shown;

	begin();
	said = COMMAND(server, 0, "rate", "Rated", "--criteria", "Is it short?", "--criteria",
		       "Is it polite?", "--mode", "detailed");
	ASSERT_SAYS(said->out, "Rated  (experiment 1, 3 cases)");
	ASSERT_SAYS(said->out, "Is it polite?");
	shown = json_must_parse(COMMAND(server, 0, "experiment", "show", "1", "--json")->out);
	ck_assert_uint_eq(at_count(shown, "experiment.results.criteria"), 2);
	ck_assert_str_eq(at_text(shown, "experiment.rating_mode"), "detailed");
	said = COMMAND(server, 0, "rate", "Rated", "--mode", "fast", "--detach", "--json");
	ck_assert_str_eq(at_text(json_must_parse(said->out), "task.kind"), "rating");
	said = COMMAND(server, 0, "task", "watch", "3");
	said = COMMAND(server, 0, "task", "list", "--kind", "rating", "--json");
	ck_assert_uint_eq(at_count(json_must_parse(said->out), "items"), 2);
	COMMAND(server, 27, "rate", "Nobody");
}
END_TEST

START_TEST(responses_in_the_order_asked)
{
	struct command *said;
	json_object *list;

	begin();
	said = COMMAND(server, 0, "rate", "--responses", "3,1,2", "--criteria", "Is it short?",
		       "--criteria", "Is it polite?", "--json");
	list = last_list(said);
	ck_assert_uint_eq(at_count(list, "items"), 6);
	ck_assert_int_eq(at_int(list, "items.0.response_id"), 3);
	ck_assert_str_eq(at_text(list, "items.0.criterion.criterion_str"), "Is it short?");
	ck_assert_str_eq(at_text(list, "items.1.criterion.criterion_str"), "Is it polite?");
	ck_assert_int_eq(at_int(list, "items.2.response_id"), 1);
	ck_assert_int_eq(at_int(list, "items.5.response_id"), 2);
	said = COMMAND(server, 0, "rate", "--responses", "2", "--criteria", "Is it short?");
	ASSERT_SAYS(said->out, "RESPONSE  RATING");
	ASSERT_SAYS(said->out, "1 response, 1 rating");
	/* The experiment's own results stay. */
	said = COMMAND(server, 0, "experiment", "show", "Rated");
	ck_assert_ptr_null(strstr(said->out, "Is it short?"));
}
END_TEST

START_TEST(some_of_an_experiment)
{
	json_object *listed, *list;
	const char *where;
	size_t wanted = 0;

	begin();
	listed = list_all(wire, "ListRatings", "'experiment':{'name':'Rated'}");
	for (size_t i = 0; i < json_object_array_length(listed); i++)
		wanted += at_is(json_object_array_get_idx(listed, i), "rating", "YES");
	where = text("%lld=YES", (long long)at_int(listed, "0.criterion.id"));
	list = last_list(COMMAND(server, 0, "rate", "Rated", "--where", where, "--criteria",
				 "Is it polite?", "--json"));
	ck_assert_uint_eq(at_count(list, "items"), wanted);
	where = text("%s=YES", at_text(listed, "0.criterion.criterion_str"));
	list = last_list(COMMAND(server, 0, "rate", "Rated", "--where", where, "--criteria",
				 "Is it polite?", "--json"));
	ck_assert_uint_eq(at_count(list, "items"), wanted);
	list = json_must_parse(COMMAND(server, 0, "experiment", "responses", "Rated", "--where", where,
				       "--json")->out);
	ck_assert_uint_eq(at_count(list, "items"), wanted);
	ASSERT_SAYS(COMMAND(server, 2, "rate", "Rated", "--where", "none of them=NO")->err,
		    "--where none of them: expected an id, a label or a text that one criterion of the experiment has");
	list = last_list(COMMAND(server, 0, "rate", "Rated", "--epoch", "1", "--criteria",
				 "Is it long?", "--json"));
	ck_assert_uint_eq(at_count(list, "items"), 3);
	list = last_list(COMMAND(server, 0, "rate", "Rated", "--keep", "--mode", "detailed",
				 "--json"));
	ck_assert_uint_eq(at_count(list, "items"), 3);
	ck_assert(at_has(list, "items.0.reasoning"));
	/* The experiment itself is as it was. */
	listed = json_must_parse(COMMAND(server, 0, "experiment", "show", "1", "--json")->out);
	ck_assert_str_eq(at_text(listed, "experiment.rating_mode"), "fast");
}
END_TEST

START_TEST(what_failed)
{
	struct sim *sim = sim_start((const char *[]) { "--content_filter_rate=1", NULL });
	json_object *shown;
	struct command *said;

	server = daemon_start(NULL);
	wire = daemon_connect(server);
	json_object_put(experiment_run(wire, &(struct experiment) {
		.name = "Failing", .rows = 3, .url = sim_url(sim) }));
	shown = json_must_parse(COMMAND(server, 0, "experiment", "show", "1", "--json")->out);
	ck_assert_int_eq(at_int(shown, "experiment.results.failed_responses"), 3);
	sim_control(sim, "{'content_filter_rate':0}");
	said = COMMAND(server, 0, "experiment", "retry-failed", "Failing", "--max-connections", "2",
		       "--json");
	ASSERT_SAYS(said->out, "\"failed_responses\":0");
	ck_assert_int_eq(sim_stat(sim, "calls"), 6);
}
END_TEST

/* Which responses, with reasons or without, and one of them as a page; what a person says of it. */
START_TEST(looking_at_responses)
{
	json_object *listed, *edited, *one;
	struct command *said;
	const char *rating, *response;

	begin();
	listed = list_all(wire, "ListResponses", "'experiment':{'name':'Rated'}");
	ck_assert_uint_eq(json_object_array_length(listed), 3);
	response = text("%lld", (long long)at_int(listed, "1.id"));
	rating = text("%lld", (long long)at_int(listed, "1.ratings.0.id"));
	said = COMMAND(server, 0, "experiment", "case", "Rated",
		       text("%lld", (long long)at_int(listed, "1.template_variables.id")));
	ASSERT_SAYS(said->out, at_text(listed, "1.messages.0.content"));
	ASSERT_SAYS(said->out, at_text(listed, "1.response_text"));
	ASSERT_SAYS(said->out, text("rating %s, judge ", rating));
	COMMAND(server, 27, "experiment", "case", "Rated", "4711");
	COMMAND(server, 2, "experiment", "case", "Rated", "first");
	one = json_must_parse(COMMAND(server, 0, "experiment", "response", response, "--json")->out);
	ck_assert_str_eq(at_text(one, "experiment.name"), "Rated");
	ck_assert_str_eq(at_text(one, "response.messages.0.content"), at_text(listed, "1.messages.0.content"));
	ck_assert_int_eq(at_int(one, "response.ratings.0.id"), at_int(listed, "1.ratings.0.id"));
	json_object_put(one);
	said = COMMAND(server, 0, "experiment", "annotate", response, "Not what was meant.");
	ck_assert_str_eq(said->out, "");
	edited = json_must_parse(COMMAND(server, 0, "experiment", "edit-rating", rating, "NO",
					 "--reasoning", "It rambles.", "--json")->out);
	ck_assert_str_eq(at_text(edited, "rating.judge"), "person");
	said = COMMAND(server, 0, "experiment", "responses", "Rated", "--annotated", "--reasoning");
	ASSERT_SAYS(said->out, "Not what was meant.");
	ASSERT_SAYS(said->out, "NO   ");
	ASSERT_SAYS(said->out, "It rambles.");
	said = COMMAND(server, 0, "experiment", "responses", "Rated", "--verdict", "NO", "--criterion",
		       at_text(listed, "0.ratings.0.criterion.criterion_str"), "--sort", "duration", "-q");
	ASSERT_SAYS(said->out, response);
	COMMAND(server, 2, "experiment", "responses", "Rated", "--criterion", "Is it none?");
	COMMAND(server, 23, "experiment", "responses", "Rated", "--verdict", "MAYBE");
	said = COMMAND(server, 0, "experiment", "edit-rating", rating, "--undo");
	ck_assert_ptr_null(strstr(said->out, "person"));
	COMMAND(server, 0, "experiment", "annotate", response);
	said = COMMAND(server, 0, "experiment", "responses", "Rated", "--annotated", "-q");
	ck_assert_str_eq(said->out, "");
	json_object_put(experiment_run(wire, &(struct experiment) {
		.name = "Other", .rows = 2, .n_criteria = 1 }));
	said = COMMAND(server, 0, "experiment", "compare", "Rated", "Other");
	ASSERT_SAYS(said->out, "EXPERIMENT 1  ");
	ASSERT_SAYS(said->out, "Other");
	ASSERT_SAYS(said->out, "No case changed.");
	ASSERT_SAYS(said->out, "P (HOLM)");
	ASSERT_SAYS(COMMAND(server, 0, "experiment", "flaky", "Rated")->out, "VARIABLES");
	ASSERT_SAYS(COMMAND(server, 0, "experiment", "agreement", "Rated")->out, "No verdict was looked at");
	ASSERT_SAYS(COMMAND(server, 0, "experiment", "agreement", "Rated")->out, "WRONG NO  CRITERION");
	ASSERT_SAYS(COMMAND(server, 0, "experiment", "agreement", "Rated", "--format", "csv")->out,
		    "labels,alike,alike_low,alike_high,kappa,kappa_low,kappa_high,wrong_yes,wrong_no,threshold,j,"
		    "alpha,alpha_low,alpha_high,criterion\n0,,,,,,,0,0,,,,,,");
	COMMAND(server, 2, "experiment", "compare", "Rated");
	COMMAND(server, 27, "experiment", "compare", "Rated", "Nobody");
	said = COMMAND(server, 0, "experiment", "show", "Rated");
	ASSERT_SAYS(said->out, "Prompt  ");
	ASSERT_SAYS(said->out, ", version 1");
	ASSERT_SAYS(said->out, "Mode           fast");
}
END_TEST

/* The same rows, answered and judged alike, but for two verdicts that a person gave. */
START_TEST(cases_that_changed)
{
	struct command *said;
	json_object *all, *rated;

	begin();
	rated = list_all(wire, "ListResponses", "'experiment':{'name':'Rated'}");
	COMMAND(server, 0, "experiment", "clone", "Rated", "--name", "Other");
	COMMAND(server, 0, "experiment", "run", "Other");
	all = list_all(wire, "ListComparedCases", "'experiments':[{'name':'Rated'},{'name':'Other'}]");
	ck_assert_uint_eq(json_object_array_length(all), 3);
	for (int i = 0; i < 2; i++)
		COMMAND(server, 0, "experiment", "edit-rating",
			text("%lld", (long long)at_int(rated, text("%d.ratings.0.id", i))),
			at_is(all, text("%d.responses.1.verdicts.0.rating", i), "YES") ? "NO" : "YES");
	said = COMMAND(server, 0, "experiment", "compare", "Rated", "Other", "-n", "1");
	ASSERT_SAYS(said->out, "Row 1, epoch 1  {\"topic\":");
	ASSERT_SAYS(said->out, at_is(all, "0.responses.1.verdicts.0.rating", "YES") ? "\n  2  YES " :
										   "\n  2  NO  ");
	ck_assert_ptr_null(strstr(said->out, "Row 2, "));
	ASSERT_SAYS(said->out, "... and 1 more; -n 2 shows them");
	said = COMMAND(server, 0, "experiment", "compare", "Rated", "Other");
	ASSERT_SAYS(said->out, "Row 2, epoch 1  ");
	ck_assert_ptr_null(strstr(said->out, " more; "));
}
END_TEST

START_TEST(what_is_wrong)
{
	begin();
	COMMAND(server, 2, "rate");
	COMMAND(server, 2, "rate", "Rated", "--responses", "1");
	COMMAND(server, 2, "rate", "--responses", "1,x");
	COMMAND(server, 2, "rate", "--responses", "1,", "--criteria", "a?");
	COMMAND(server, 2, "rate", "--responses", "1", "--epoch", "1");
	COMMAND(server, 2, "rate", "Rated", "--where", "NO");
	COMMAND(server, 2, "rate", "Rated", "--criteria", "a?", "--set", "b");
	COMMAND(server, 23, "rate", "Rated", "--mode", "slow");
	COMMAND(server, 23, "rate", "Rated", "--where", "1=MAYBE");
	COMMAND(server, 27, "rate", "Rated", "--judge", "nobody");
	COMMAND(server, 27, "experiment", "retry-failed", "Nobody");
}
END_TEST

int main(void)
{
	return RUN_SUITE(an_experiment, looking_at_responses, responses_in_the_order_asked, some_of_an_experiment,
			 what_failed, cases_that_changed, what_is_wrong);
}
