/*
 * The dialect that the elluminate SDK speaks: a table of its paths, each with the steps that put it onto the
 * methods of the interface. No rule of the domain is here, only names and shapes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/front/http/http_tables.h"
#include "daemon/front/sdk/multipart.h"
#include "daemon/front/sdk/steps.h"
#include "daemon/front/sdk/stream.h"
#include "elluminate-types.h"

/* ---- Errors ---- */

/* What their clients look for: what is wrong, and, of what is there already, which it is. */
static void fail(struct http_exchange *exchange, int status, const struct fault *fault)
{
	struct json_maker maker = { 0 };
	json_object *json = make_object(&maker);
	bool is_template = strcmp(fault->resource_type, "prompt_template") == 0;

	put_text(&maker, json, "detail", fault->message);
	if (fault->resource_type[0])
		put_text(&maker, json, "resource_type", fault->resource_type);
	if (fault->name[0])
		put_text(&maker, json, "resource_name", fault->name);
	if (fault->has_id)
		put_int(&maker, json, "resource_id", fault->id);
	if (fault->has_id && is_template && fault->code == ELLU_E_CONFLICT)
		put_int(&maker, json, "prompt_template_id", fault->id);
	if (fault->code == ELLU_E_INVALID_PARAMETER)
		status = 422;
	http_answer_json(exchange, status, json);
}

/* ---- Bodies ---- */

/* A form with a file of lines. */
static void decode_rows(struct http_exchange *exchange)
{
	const char *type = http_header(&exchange->head, "content-type"), *data;
	struct fault *fault = &exchange->fault;
	size_t size;
	int r = exchange->body ? multipart_find(type, exchange->body, exchange->body_size, "file", &data, &size) :
				 -EBADMSG;

	if (r == 0)
		(void)json_lines_read(data, size, &exchange->json, fault);
	else if (r == -ENOENT)
		fault_invalid(fault, "file", "a file of lines, each a JSON object");
	else
		fault_message(fault, 0, "expected a form, multipart/form-data");
}

/* ---- The handshake ---- */

/* Any version may try. */
static void answer_version(struct http_exchange *exchange)
{
	struct json_maker maker = { 0 };
	json_object *json = make_object(&maker);
	const char *version = member_text(exchange->json, "current_sdk_version");

	put_bool(&maker, json, "is_compatible", true);
	put_text(&maker, json, "required_sdk_version", version ? version : "1.0.0");
	http_answer_json(exchange, 200, json);
}

static void serve_nothing(struct http_exchange *exchange)
{
	struct fault fault = { 0 };

	if (exchange->other_verbs) {
		http_fail_verb(exchange, exchange->other_verbs,
			       exchange->head.verb == HTTP_DELETE && strstr(exchange->head.path, "/responses/") ?
				       "a single response cannot be removed, it goes with its experiment" : NULL);
		return;
	}
	fault_set(&fault, ELLU_E_NOT_FOUND, "nothing is served at %s", exchange->head.path);
	http_fail(exchange, &fault);
}

/* What their system has and this one has not. */
static void serve_absent(struct http_exchange *exchange)
{
	static const struct {
		const char *path; // behind the project
		const char *what;
	} absent[] = {
		{ "persona", "Personas, which simulate whom a model talks to, are not part of elluminated." },
		{ "schedules", "Schedules are not part of elluminated: a timer of systemd runs what has to be "
			       "run again and again." },
	};
	const char *rest = exchange->values[1];
	struct fault fault = { 0 };

	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]) && !fault.code; i++)
		if (strncmp(rest, absent[i].path, strlen(absent[i].path)) == 0)
			fault_set(&fault, ELLU_E_UNSUPPORTED, "%s", absent[i].what);
	if (fault.code)
		http_fail(exchange, &fault);
	else
		serve_nothing(exchange);
}

/* ---- Routes ---- */

#define STEP(name) \
	static void serve_##name(struct http_exchange *exchange) { ask_begin(exchange, step_##name); }

STEP(list_projects)
STEP(get_project)
STEP(create_project)
STEP(list_templates)
STEP(create_template)
STEP(get_template)
STEP(delete_template)
STEP(list_collections)
STEP(create_collection)
STEP(get_collection)
STEP(update_collection)
STEP(delete_collection)
STEP(list_entries)
STEP(add_entry)
STEP(clear_entries)
STEP(get_entry)
STEP(delete_entry)
STEP(add_entries)
STEP(list_scenario_sets)
STEP(create_scenario_set)
STEP(get_scenario_set)
STEP(update_scenario_set)
STEP(delete_scenario_set)
STEP(add_field)
STEP(rename_field)
STEP(delete_field)
STEP(list_scenarios)
STEP(add_scenario)
STEP(add_scenarios)
STEP(get_scenario)
STEP(update_scenario)
STEP(delete_scenario)
STEP(list_sets)
STEP(create_set)
STEP(get_set)
STEP(delete_set)
STEP(link_set)
STEP(unlink_set)
STEP(list_criteria)
STEP(add_criteria)
STEP(get_criterion)
STEP(delete_criterion)
STEP(list_configs)
STEP(create_config)
STEP(get_config)
STEP(delete_config)
STEP(list_experiments)
STEP(create_experiment)
STEP(get_experiment)
STEP(delete_experiment)
STEP(run_experiment)
STEP(retry_experiment)
STEP(get_task)
STEP(get_definition)
STEP(match_trials)
STEP(add_trials)
STEP(list_responses)
STEP(add_response)
STEP(add_responses)
STEP(get_response)
STEP(annotate_response)
STEP(get_batch)
STEP(list_samples)
STEP(compare_samples)
STEP(sum_responses)
STEP(list_ratings)
STEP(rate_response)
STEP(rate_responses)

#define API "/api/v0"
#define PROJECT API "/projects/{project}"
#define COLLECTION PROJECT "/collections/{collection}"
#define SCENARIOS PROJECT "/scenario-sets/{set}"
#define SET PROJECT "/criterion_sets/{set}"
#define EXPERIMENT PROJECT "/experiments/{experiment}"

#define ANY (HTTP_GET | HTTP_POST | HTTP_PUT | HTTP_PATCH | HTTP_DELETE)
#define ROUTE(verb, path, serve) { path, HTTP_##verb, HTTP_TOKEN, serve, NULL, fail, NULL }

static const struct http_route routes[] = {
	ROUTE(POST, API "/version/compatible", answer_version),
	ROUTE(GET, API "/projects", serve_list_projects),
	ROUTE(POST, API "/projects", serve_create_project),
	ROUTE(GET, PROJECT, serve_get_project),

	ROUTE(GET, PROJECT "/prompt_templates", serve_list_templates),
	ROUTE(POST, PROJECT "/prompt_templates", serve_create_template),
	ROUTE(GET, PROJECT "/prompt_templates/{template}", serve_get_template),
	ROUTE(DELETE, PROJECT "/prompt_templates/{template}", serve_delete_template),

	ROUTE(GET, PROJECT "/collections", serve_list_collections),
	ROUTE(POST, PROJECT "/collections", serve_create_collection),
	ROUTE(GET, COLLECTION, serve_get_collection),
	ROUTE(PUT, COLLECTION, serve_update_collection),
	ROUTE(DELETE, COLLECTION, serve_delete_collection),
	ROUTE(GET, COLLECTION "/entries", serve_list_entries),
	ROUTE(POST, COLLECTION "/entries", serve_add_entry),
	ROUTE(DELETE, COLLECTION "/entries", serve_clear_entries),
	{ COLLECTION "/entries/batches", HTTP_POST, HTTP_TOKEN, serve_add_entries, decode_rows, fail,
	  "multipart/form-data" },
	ROUTE(GET, COLLECTION "/entries/{entry}", serve_get_entry),
	ROUTE(DELETE, COLLECTION "/entries/{entry}", serve_delete_entry),

	ROUTE(GET, PROJECT "/scenario-sets", serve_list_scenario_sets),
	ROUTE(POST, PROJECT "/scenario-sets", serve_create_scenario_set),
	ROUTE(GET, SCENARIOS, serve_get_scenario_set),
	ROUTE(PUT, SCENARIOS, serve_update_scenario_set),
	ROUTE(DELETE, SCENARIOS, serve_delete_scenario_set),
	ROUTE(POST, SCENARIOS "/fields", serve_add_field),
	ROUTE(PUT, SCENARIOS "/fields/{field}", serve_rename_field),
	ROUTE(DELETE, SCENARIOS "/fields/{field}", serve_delete_field),
	ROUTE(GET, SCENARIOS "/scenarios", serve_list_scenarios),
	ROUTE(POST, SCENARIOS "/scenarios", serve_add_scenario),
	ROUTE(POST, SCENARIOS "/scenarios/batch", serve_add_scenarios),
	ROUTE(GET, SCENARIOS "/scenarios/{scenario}", serve_get_scenario),
	ROUTE(PUT, SCENARIOS "/scenarios/{scenario}", serve_update_scenario),
	ROUTE(DELETE, SCENARIOS "/scenarios/{scenario}", serve_delete_scenario),

	ROUTE(GET, PROJECT "/criterion_sets", serve_list_sets),
	ROUTE(POST, PROJECT "/criterion_sets", serve_create_set),
	ROUTE(GET, SET, serve_get_set),
	ROUTE(DELETE, SET, serve_delete_set),
	ROUTE(PUT, SET "/prompt_templates/{template}", serve_link_set),
	ROUTE(DELETE, SET "/prompt_templates/{template}", serve_unlink_set),
	ROUTE(GET, PROJECT "/criteria", serve_list_criteria),
	ROUTE(POST, PROJECT "/criteria", serve_add_criteria),
	ROUTE(GET, PROJECT "/criteria/{criterion}", serve_get_criterion),
	ROUTE(DELETE, PROJECT "/criteria/{criterion}", serve_delete_criterion),

	ROUTE(GET, PROJECT "/llm_configs", serve_list_configs),
	ROUTE(POST, PROJECT "/llm_configs", serve_create_config),
	ROUTE(GET, PROJECT "/llm_configs/{config}", serve_get_config),
	ROUTE(DELETE, PROJECT "/llm_configs/{config}", serve_delete_config),

	ROUTE(GET, PROJECT "/experiments", serve_list_experiments),
	ROUTE(POST, PROJECT "/experiments", serve_create_experiment),
	ROUTE(GET, EXPERIMENT, serve_get_experiment),
	ROUTE(DELETE, EXPERIMENT, serve_delete_experiment),
	ROUTE(POST, EXPERIMENT "/run", serve_run_experiment),
	ROUTE(POST, EXPERIMENT "/retry-failed", serve_retry_experiment),
	ROUTE(GET, EXPERIMENT "/generation/{task}", serve_get_task),
	ROUTE(GET, EXPERIMENT "/generation/{task}/stream", sdk_stream_task),

	ROUTE(GET, EXPERIMENT "/agent-results/definition", serve_get_definition),
	ROUTE(POST, EXPERIMENT "/agent-results/preview", serve_match_trials),
	ROUTE(POST, EXPERIMENT "/agent-results", serve_add_trials),

	ROUTE(GET, PROJECT "/responses", serve_list_responses),
	ROUTE(POST, PROJECT "/responses", serve_add_response),
	ROUTE(POST, PROJECT "/responses/generate", serve_add_response),
	ROUTE(POST, PROJECT "/responses/batches", serve_add_responses),
	ROUTE(GET, PROJECT "/responses/batches/{task}", serve_get_batch),
	ROUTE(GET, PROJECT "/responses/samples", serve_list_samples),
	ROUTE(GET, PROJECT "/responses/comparison/samples", serve_compare_samples),
	ROUTE(GET, PROJECT "/responses/stats", serve_sum_responses),
	ROUTE(GET, PROJECT "/responses/{response}", serve_get_response),
	ROUTE(PATCH, PROJECT "/responses/{response}", serve_annotate_response),

	ROUTE(GET, PROJECT "/ratings", serve_list_ratings),
	ROUTE(POST, PROJECT "/ratings", serve_rate_response),
	ROUTE(POST, PROJECT "/ratings/batches", serve_rate_responses),
	ROUTE(GET, PROJECT "/ratings/batches/{task}", serve_get_task),
	ROUTE(GET, PROJECT "/ratings/batches/{task}/stream", sdk_stream_task),

	{ PROJECT "/{rest...}", ANY, HTTP_TOKEN, serve_absent, NULL, fail, NULL },
	{ API "/{rest...}", ANY, HTTP_TOKEN, serve_nothing, NULL, fail, NULL },
};

const struct http_routes sdk_routes = HTTP_ROUTES(routes);
