/*
 * Operations on what users keep: prompt templates, collections and their rows, LLM configs,
 * experiments, responses, ratings. Arguments are the decoded requests of proto/interface; they
 * must live until `done` (put them into the request's arena).
 */
#pragma once

#include "daemon/store/store.h"
#include "elluminate-types.h"

/* Every page comes encoded (store_request::page): `cursor` opaque (an unknown one is
 * InvalidParameter), newest first for resources, in their order for rows, responses, ratings and log
 * lines; at most `limit` items or PAGE_BYTES_MAX on the wire. */

struct prompt_template_get {
	struct store_request request;
	struct scope scope;
	const struct ellu_ref *ref;
	const struct ellu_prompt_template *ret_template;
};
void store_prompt_template_get(struct store *store, struct prompt_template_get *op);

struct row_set; // the store's own: rows that a request brings

struct collection_create {
	struct store_request request;
	struct scope scope;
	const struct ellu_collection *collection;
	struct row_set *rows;
	const struct ellu_collection *ret_collection;
};
void store_collection_create(struct store *store, struct collection_create *op);

struct collection_get {
	struct store_request request;
	struct scope scope;
	const struct ellu_ref *ref;
	const struct ellu_collection *ret_collection;
};
void store_collection_get(struct store *store, struct collection_get *op);

struct collection_clear {
	struct store_request request;
	struct scope scope;
	const struct ellu_ref *ref;
	int64_t ret_removed;
};
void store_collection_clear(struct store *store, struct collection_clear *op);

struct rows_add {
	struct store_request request;
	struct scope scope;
	const struct ellu_add_template_variables_request *arguments;
	struct row_set *rows;
	const struct ellu_add_template_variables_reply *ret_reply;
};
void store_rows_add(struct store *store, struct rows_add *op);

struct rows_list {
	struct store_request request;
	struct scope scope;
	const struct ellu_list_template_variables_request *arguments;
};
void store_rows_list(struct store *store, struct rows_list *op);

struct llm_config_create {
	struct store_request request;
	struct scope scope;
	const struct ellu_llm_config *config;
	const struct ellu_llm_config *ret_config; // never with a key
};
void store_llm_config_create(struct store *store, struct llm_config_create *op);

struct llm_config_get {
	struct store_request request;
	struct scope scope;
	const struct ellu_ref *ref;
	const struct ellu_llm_config *ret_config; // never with a key
};
void store_llm_config_get(struct store *store, struct llm_config_get *op);

struct project_get {
	struct store_request request;
	struct scope scope;
	const struct ellu_project *ret_project;
};
void store_project_get(struct store *store, struct project_get *op);

/* A config of another project is refused, also when the scope may see it. */
struct default_llm_config_set {
	struct store_request request;
	struct scope scope;
	const struct ellu_ref *ref;
	const struct ellu_project *ret_project;
};
void store_default_llm_config_set(struct store *store, struct default_llm_config_set *op);

struct llm_configs_list {
	struct store_request request;
	struct scope scope;
	const struct ellu_list_llm_configs_request *arguments;
};
void store_llm_configs_list(struct store *store, struct llm_configs_list *op);

struct experiment_get {
	struct store_request request;
	struct scope scope;
	const struct ellu_ref *ref;
	const struct ellu_experiment *ret_experiment;
};
void store_experiment_get(struct store *store, struct experiment_get *op);

struct experiments_list {
	struct store_request request;
	struct scope scope;
	const struct ellu_list_experiments_request *arguments;
};
void store_experiments_list(struct store *store, struct experiments_list *op);

struct responses_list {
	struct store_request request;
	struct scope scope;
	const struct ellu_list_responses_request *arguments;
};
void store_responses_list(struct store *store, struct responses_list *op);

struct ratings_list {
	struct store_request request;
	struct scope scope;
	const struct ellu_list_ratings_request *arguments;
};
void store_ratings_list(struct store *store, struct ratings_list *op);
