/* Methods that keep and show what users have: prompt templates, collections, LLM configs,
 * projects. */
#include "daemon/store/resources.h"

#include "daemon/api/call.h"
#include "proto/generated/handlers.h"

/* ---- PromptTemplate ---- */

static void on_template(struct call *call, struct store_request *request)
{
	const struct prompt_template_get *op = (const struct prompt_template_get *)request;
	struct ellu_get_prompt_template_reply reply =
		ELLU_RECORD(struct ellu_get_prompt_template_reply);

	reply.prompt_template = op->ret_template;
	call_reply(call, &reply);
}

int api_get_prompt_template(struct call *call,
			    const struct ellu_get_prompt_template_request *request)
{
	struct prompt_template_get *op = call_operation(call, sizeof(*op), on_template);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->ref = request->prompt_template;
	store_prompt_template_get(call->service->store, op);
	return 0;
}

/* ---- Collection ---- */

static void on_collection_created(struct call *call, struct store_request *request)
{
	const struct collection_create *op = (const struct collection_create *)request;
	struct ellu_create_collection_reply reply = ELLU_RECORD(struct ellu_create_collection_reply);

	reply.collection = op->ret_collection;
	call_reply(call, &reply);
}

int api_create_collection(struct call *call, const struct ellu_create_collection_request *request)
{
	struct collection_create *op = call_operation(call, sizeof(*op), on_collection_created);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->collection = request->collection;
	store_collection_create(call->service->store, op);
	return 0;
}

static void on_collection(struct call *call, struct store_request *request)
{
	const struct collection_get *op = (const struct collection_get *)request;
	struct ellu_get_collection_reply reply = ELLU_RECORD(struct ellu_get_collection_reply);

	reply.collection = op->ret_collection;
	call_reply(call, &reply);
}

int api_get_collection(struct call *call, const struct ellu_get_collection_request *request)
{
	struct collection_get *op = call_operation(call, sizeof(*op), on_collection);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->ref = request->collection;
	store_collection_get(call->service->store, op);
	return 0;
}

static void on_cleared(struct call *call, struct store_request *request)
{
	const struct collection_clear *op = (const struct collection_clear *)request;
	struct ellu_clear_collection_reply reply = ELLU_RECORD(struct ellu_clear_collection_reply);

	reply.removed = op->ret_removed;
	call_reply(call, &reply);
}

int api_clear_collection(struct call *call, const struct ellu_clear_collection_request *request)
{
	struct collection_clear *op = call_operation(call, sizeof(*op), on_cleared);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->ref = request->collection;
	store_collection_clear(call->service->store, op);
	return 0;
}

static void on_rows_added(struct call *call, struct store_request *request)
{
	call_reply(call, ((const struct rows_add *)request)->ret_reply);
}

int api_add_template_variables(struct call *call,
			       const struct ellu_add_template_variables_request *request)
{
	struct rows_add *op = call_operation(call, sizeof(*op), on_rows_added);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_rows_add(call->service->store, op);
	return 0;
}

int api_list_template_variables(struct call *call,
				const struct ellu_list_template_variables_request *request)
{
	struct rows_list *op = call_operation(call, sizeof(*op), call_reply_page);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_rows_list(call->service->store, op);
	return 0;
}

/* ---- LLMConfig ---- */

static void on_config_created(struct call *call, struct store_request *request)
{
	const struct llm_config_create *op = (const struct llm_config_create *)request;
	struct ellu_create_llm_config_reply reply = ELLU_RECORD(struct ellu_create_llm_config_reply);

	reply.llm_config = op->ret_config;
	call_reply(call, &reply);
}

int api_create_llm_config(struct call *call, const struct ellu_create_llm_config_request *request)
{
	struct llm_config_create *op = call_operation(call, sizeof(*op), on_config_created);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->config = request->llm_config;
	store_llm_config_create(call->service->store, op);
	return 0;
}

static void on_config(struct call *call, struct store_request *request)
{
	const struct llm_config_get *op = (const struct llm_config_get *)request;
	struct ellu_get_llm_config_reply reply = ELLU_RECORD(struct ellu_get_llm_config_reply);

	reply.llm_config = op->ret_config;
	call_reply(call, &reply);
}

int api_get_llm_config(struct call *call, const struct ellu_get_llm_config_request *request)
{
	struct llm_config_get *op = call_operation(call, sizeof(*op), on_config);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->ref = request->llm_config;
	store_llm_config_get(call->service->store, op);
	return 0;
}

int api_list_llm_configs(struct call *call, const struct ellu_list_llm_configs_request *request)
{
	struct llm_configs_list *op = call_operation(call, sizeof(*op), call_reply_page);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->arguments = request;
	store_llm_configs_list(call->service->store, op);
	return 0;
}

/* ---- Project ---- */

static void on_project(struct call *call, struct store_request *request)
{
	const struct project_get *op = (const struct project_get *)request;
	struct ellu_get_project_reply reply = ELLU_RECORD(struct ellu_get_project_reply);

	reply.project = op->ret_project;
	call_reply(call, &reply);
}

int api_get_project(struct call *call, const struct ellu_get_project_request *request)
{
	struct project_get *op = call_operation(call, sizeof(*op), on_project);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	store_project_get(call->service->store, op);
	return 0;
}

static void on_default_set(struct call *call, struct store_request *request)
{
	const struct default_llm_config_set *op = (const struct default_llm_config_set *)request;
	struct ellu_set_default_llm_config_reply reply =
		ELLU_RECORD(struct ellu_set_default_llm_config_reply);

	reply.project = op->ret_project;
	call_reply(call, &reply);
}

int api_set_default_llm_config(struct call *call,
			       const struct ellu_set_default_llm_config_request *request)
{
	struct default_llm_config_set *op = call_operation(call, sizeof(*op), on_default_set);

	if (!op)
		return 0;
	op->scope = call_scope(call, request->project);
	op->ref = request->llm_config;
	store_default_llm_config_set(call->service->store, op);
	return 0;
}
