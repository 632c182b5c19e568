#include "client/cli/transfer/export_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/call.h"
#include "client/cli/files/json_file.h"
#include "client/cli/view/output.h"
#include "proto/generated/interface.h"
#include "proto/limits.h"

#define LINES_VERSION 1

/* ---- Reading lists ---- */

/* One page, or one reply; `request` is borrowed. 0 with what to put, or the exit status. */
static int ask(struct cli *cli, const struct method *method, json_object *request, json_object **ret_reply)
{
	const struct ellu_raw_reply *raw = NULL;
	const struct ellu_error *error = NULL;
	const char *reason;
	size_t offset;
	int r = ellu_call_raw(cli->daemon, method->qualified_name, json_text(request, NULL), &raw, &error);

	if (r < 0)
		return cli_fail(r, error);
	r = json_text_parse(raw->parameters, strlen(raw->parameters), ret_reply, &offset, &reason);
	ellu_free(raw);
	return r < 0 ? cli_fail(r, NULL) : 0;
}

/* All of a list, as it comes. `request` is taken. */
static int each(struct cli *cli, const struct method *method, json_object *request,
		int (*visit)(void *userdata, json_object *item), void *userdata)
{
	const char *cursor = "";
	int status = request ? 0 : cli_fail(-ENOMEM, NULL);

	if (request)
		json_object_object_add(request, "limit", json_object_new_int(PAGE_MAX));
	while (status == 0 && cursor) {
		json_object *reply = NULL, *items, *next;

		status = ask(cli, method, request, &reply);
		items = json_object_object_get(reply, "items");
		for (size_t i = 0; status == 0 && items && i < json_object_array_length(items); i++)
			status = visit(userdata, json_object_array_get_idx(items, i));
		next = json_object_object_get(reply, "next_cursor");
		cursor = next ? json_object_get_string(next) : NULL;
		if (cursor)
			json_object_object_add(request, "cursor", json_object_get(next));
		json_object_put(reply);
	}
	json_object_put(request);
	return status;
}

/* Takes it. */
static int put_line(json_object *line)
{
	const char *text = line ? json_text(line, NULL) : NULL;
	int status = text ? cli_put_json(text) : cli_fail(-ENOMEM, NULL);

	json_object_put(line);
	return status;
}

/* ---- Everything ---- */

/* What is a list of its own below a thing. */
static const struct {
	const char *type, *method, *member; // the thing's, the list's, and where the request says which
	const char *of; // and each line of it
} below[] = {
	{ "collection", "ListTemplateVariables", "collection", "collection_id" },
	{ "experiment", "ListResponses", "experiment", "experiment_id" },
	{ "task", "ListTaskLogs", "id", "task_id" },
};

struct listing {
	struct cli *cli;
	const struct method *method;
	const char *project; // NULL: of none
	const char *of; // of what is below another
	int64_t of_id;
};

static const char *type_of(const struct method *method)
{
	return record_field_find(method->reply, "items")->type->name;
}

static int put_record(void *userdata, json_object *item)
{
	const struct listing *listing = userdata;
	json_object *line = json_object_new_object();

	if (!line)
		return cli_fail(-ENOMEM, NULL);
	json_object_object_add(line, "type", json_object_new_string(type_of(listing->method)));
	if (listing->project)
		json_object_object_add(line, "project", json_object_new_string(listing->project));
	if (listing->of)
		json_object_object_add(line, listing->of, json_object_new_int64(listing->of_id));
	json_object_object_add(line, "record", json_object_get(item));
	return put_line(line);
}

static json_object *of_project(const struct listing *listing)
{
	json_object *request = json_object_new_object();

	if (request && listing->project)
		json_object_object_add(request, "project", json_object_new_string(listing->project));
	return request;
}

static int put_below(const struct listing *above, json_object *item)
{
	int64_t id = json_object_get_int64(json_object_object_get(item, "id"));
	int status = 0;

	for (size_t i = 0; status == 0 && i < sizeof(below) / sizeof(below[0]); i++) {
		struct listing listing = {
			.cli = above->cli,
			.project = above->project,
			.of = below[i].of,
			.of_id = id,
		};
		json_object *request, *which;

		if (strcmp(type_of(above->method), below[i].type) != 0)
			continue;
		listing.method = method_named(below[i].method);
		request = listing.method->project ? of_project(&listing) : json_object_new_object();
		which = json_object_new_int64(id);
		if (strcmp(below[i].member, "id") != 0) {
			json_object *ref = json_object_new_object();

			json_object_object_add(ref, "id", which);
			which = ref;
		}
		json_object_object_add(request, below[i].member, which);
		status = each(above->cli, listing.method, request, put_record, &listing);
	}
	return status;
}

/* Of what has versions the list has the latest alone, unless it is asked for a name. */
static int put_item(void *userdata, json_object *item)
{
	struct listing *listing = userdata;
	json_object *request;
	int status;

	if (json_object_object_get(item, "version") && record_field_find(listing->method->request, "name")) {
		request = of_project(listing);
		json_object_object_add(request, "name",
				       json_object_get(json_object_object_get(item, "name")));
		return each(listing->cli, listing->method, request, put_record, listing);
	}
	status = put_record(listing, item);
	return status ? status : put_below(listing, item);
}

/* A list that asks for nothing but, perhaps, a project. */
static bool stands_alone(const struct method *method)
{
	const struct record_field *items = record_field_find(method->reply, "items");

	return method->replies == METHOD_REPLIES_PAGES && items && items->type && !method_needs_request(method) &&
	       !record_field_find(method->request, "response_id");
}

static int put_project(void *userdata, json_object *project)
{
	struct cli *cli = userdata;
	const char *name = json_object_get_string(json_object_object_get(project, "name"));
	int status = 0;

	if (cli->arguments.project && strcmp(cli->arguments.project, name) != 0)
		return 0;
	for (size_t i = 0; status == 0 && i < elluminate_interface.n_methods; i++) {
		struct listing listing = { .cli = cli, .method = &elluminate_interface.methods[i], .project = name };

		if (listing.method->project && stands_alone(listing.method))
			status = each(cli, listing.method, of_project(&listing), put_item, &listing);
	}
	return status;
}

static int put_heading(void)
{
	json_object *line = json_object_new_object();

	json_object_object_add(line, "type", json_object_new_string("export"));
	json_object_object_add(line, "version", json_object_new_int(LINES_VERSION));
	json_object_object_add(line, "elluminate", json_object_new_string(ELLU_VERSION));
	return put_line(line);
}

int export_everything(struct cli *cli)
{
	int status = cli_connect(cli);

	if (status == 0)
		status = put_heading();
	for (size_t i = 0; status == 0 && i < elluminate_interface.n_methods; i++) {
		struct listing listing = { .cli = cli, .method = &elluminate_interface.methods[i] };

		if (!listing.method->project && stands_alone(listing.method))
			status = each(cli, listing.method, json_object_new_object(), put_item, &listing);
	}
	if (status == 0)
		status = each(cli, method_named("ListProjects"), json_object_new_object(), put_project, cli);
	return status;
}

/* ---- The shape of OpenAI's evals ---- */

struct evals {
	struct cli *cli;
	const char *name; // of the experiment
	char run_id[64];
	int64_t n_events;
};

static int add(json_object *object, const char *name, json_object *value)
{
	return value ? json_object_object_add(object, name, value) : 0;
}

static json_object *text_json(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static json_object *member(json_object *object, const char *name)
{
	return json_object_get(json_object_object_get(object, name));
}

/* `data` is taken. */
static int put_event(struct evals *evals, json_object *response, const char *type, json_object *data)
{
	int64_t row = json_object_get_int64(
		json_object_object_get(json_object_object_get(response, "template_variables"), "id"));
	json_object *line = json_object_new_object();
	char sample[300];

	snprintf(sample, sizeof(sample), "%s.%lld", evals->name, (long long) row);
	add(line, "run_id", text_json(evals->run_id));
	add(line, "event_id", json_object_new_int64(evals->n_events++));
	add(line, "sample_id", text_json(sample));
	add(line, "type", text_json(type));
	add(line, "data", data);
	add(line, "created_by", text_json("elluminate"));
	add(line, "created_at", member(response, "created_at"));
	return put_line(line);
}

static int put_sampling(struct evals *evals, json_object *response)
{
	json_object *data = json_object_new_object(), *sampled = json_object_new_array();
	json_object *text = member(response, "response_text");

	add(data, "prompt", member(response, "messages"));
	if (text)
		json_object_array_add(sampled, text);
	add(data, "sampled", sampled);
	add(data, "epoch", member(response, "epoch"));
	add(data, "error", member(response, "error"));
	add(data, "duration_seconds", member(response, "duration_seconds"));
	return put_event(evals, response, "sampling", data);
}

/* As a grader of theirs that chose; what an evaluator says is a score alone. */
static int put_verdict(struct evals *evals, json_object *response, json_object *rating, int *correct)
{
	json_object *data = json_object_new_object(), *choice = member(rating, "rating");
	const bool scored = json_object_object_get(rating, "evaluator");
	const bool yes = choice && strcmp(json_object_get_string(choice), "YES") == 0;

	if (!scored)
		*correct = *correct != 0 && yes;
	add(data, scored ? "evaluator" : "criterion",
	    member(json_object_object_get(rating, "criterion"), "criterion_str"));
	if (!scored)
		add(data, "choice", choice);
	if (scored)
		add(data, "score", member(rating, "score"));
	else if (choice)
		add(data, "score", json_object_new_double(yes));
	add(data, "reasoning", member(rating, "reasoning"));
	add(data, "error", member(rating, "error"));
	return put_event(evals, response, "metrics", data);
}

static int put_response(void *userdata, json_object *response)
{
	json_object *ratings = json_object_object_get(response, "ratings"), *data;
	int correct = json_object_object_get(response, "error") ? 0 : -1; // by no criterion
	struct evals *evals = userdata;
	int status = put_sampling(evals, response);
	size_t n = ratings ? json_object_array_length(ratings) : 0;

	for (size_t i = 0; status == 0 && i < n; i++)
		status = put_verdict(evals, response, json_object_array_get_idx(ratings, i), &correct);
	if (status || n == 0 || correct < 0)
		return status;
	data = json_object_new_object();
	add(data, "correct", json_object_new_boolean(correct));
	add(data, "sampled", member(response, "response_text"));
	return put_event(evals, response, "match", data);
}

static int put_spec(struct evals *evals, json_object *experiment)
{
	json_object *line = json_object_new_object(), *spec = json_object_new_object();
	json_object *fns = json_object_new_array(), *model;

	model = member(json_object_object_get(experiment, "model"), "llm_model_name");
	if (model)
		json_object_array_add(fns, model);
	add(spec, "completion_fns", fns);
	add(spec, "eval_name", text_json(evals->name));
	add(spec, "base_eval", text_json(evals->name));
	add(spec, "split", text_json("default"));
	add(spec, "run_config", json_object_new_object());
	add(spec, "created_by", text_json("elluminate"));
	add(spec, "run_id", text_json(evals->run_id));
	add(spec, "created_at", member(experiment, "created_at"));
	add(line, "spec", spec);
	return put_line(line);
}

/* `accuracy`, as theirs has it, and all of ours. Nothing while it goes on. */
static int put_final_report(json_object *experiment)
{
	json_object *results = json_object_object_get(experiment, "results"), *line, *report, *rate;

	if (!results)
		return 0;
	line = json_object_new_object();
	report = json_object_new_object();
	rate = json_object_object_get(results, "success_rate");
	add(report, "accuracy", member(rate, "value"));
	add(report, "results", json_object_get(results));
	add(line, "final_report", report);
	return put_line(line);
}

int export_evals(struct cli *cli)
{
	const struct method *get = method_named("GetExperiment"), *list = method_named("ListResponses");
	json_object *request = json_object_new_object(), *reply = NULL, *experiment, *ref;
	struct evals evals = { .cli = cli };
	int status = cli_connect(cli);

	json_object_object_add(request, "experiment", cli_ref(cli->arguments.operands[0]));
	if (cli->arguments.project)
		json_object_object_add(request, "project", json_object_new_string(cli->arguments.project));
	if (status == 0)
		status = ask(cli, get, request, &reply);
	json_object_put(request);
	if (status)
		return status;
	experiment = json_object_object_get(reply, "experiment");
	evals.name = json_object_get_string(json_object_object_get(experiment, "name"));
	snprintf(evals.run_id, sizeof(evals.run_id), "elluminate-%lld",
		 (long long) json_object_get_int64(json_object_object_get(experiment, "id")));
	status = put_spec(&evals, experiment);
	if (status == 0)
		status = put_final_report(experiment);
	request = json_object_new_object();
	ref = json_object_new_object();
	json_object_object_add(ref, "id", member(experiment, "id"));
	json_object_object_add(request, "experiment", ref);
	if (status == 0)
		status = each(cli, list, request, put_response, &evals);
	else
		json_object_put(request);
	json_object_put(reply);
	return status;
}
