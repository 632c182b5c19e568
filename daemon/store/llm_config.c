#include "daemon/store/llm_config.h"

#include <errno.h>
#include <string.h>

#include "daemon/store/identity.h"
#include "daemon/store/llm_config_check.h"
#include "daemon/store/resource_list.h"
#include "daemon/store/resources.h"
#include "daemon/store/store_internal.h"
#include "proto/generated/interface.h"

/* What the row has in columns of its own, and what the store must not have. */
static int settings_of(struct tx *tx, const struct ellu_llm_config *config, const char **ret_text)
{
	struct ellu_llm_config copy = *config;

	copy.id = copy.created_at = copy.updated_at = NULL;
	copy.has_api_key = NULL;
	copy.api_key = NULL;
	return tx_encode(tx, &ellu_llm_config_type, &copy, ret_text);
}

int llm_config_identity(struct tx *tx, const struct ellu_llm_config *config,
			char ret_identity[static 65])
{
	struct ellu_llm_config copy = *config;
	struct identity identity;
	const char *text;
	int r;

	copy.name = "-";
	copy.description = NULL;
	copy.api_key_ref = copy.proxy = copy.ca_file = NULL;
	copy.max_connections = NULL;
	copy.shared = NULL;
	copy.price_input = copy.price_output = NULL;
	copy.max_retries = NULL;
	copy.timeout_seconds = copy.connect_seconds = NULL;
	copy.first_byte_seconds = copy.stall_seconds = NULL;
	r = settings_of(tx, &copy, &text);
	if (r < 0)
		return r;
	identity_init(&identity);
	r = identity_json(&identity, text);
	identity_done(&identity, ret_identity);
	return r;
}

int llm_config_validate(struct tx *tx, const struct ellu_llm_config *config, const char *path,
			int64_t uid)
{
	return llm_config_check(config, path, tx->store->options.system && uid != 0, tx->arena,
				tx->fault);
}

int llm_config_insert(struct tx *tx, const struct place *place,
		      const struct ellu_llm_config *config, int64_t *ret_id)
{
	char secret[SECRET_NAME_SIZE];
	const char *settings;
	int r;

	r = settings_of(tx, config, &settings);
	if (r >= 0 && config->api_key)
		r = secrets_store(&tx->store->secrets, &tx->store->writer.secrets, config->api_key,
				  secret);
	if (r >= 0)
		r = db_run(tx->db, "INSERT INTO llm_configs (owner_uid, project_id, name, provider,"
				   " llm_model_name, settings, secret, created_at, updated_at)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
			   "iisssssi", place->owner_uid, place->project_id, config->name,
			   config->provider, config->llm_model_name, settings,
			   config->api_key ? secret : NULL, tx->now);
	if (r < 0)
		return r;
	*ret_id = db_last_id(tx->db);
	return 0;
}

int llm_config_take(struct tx *tx, const struct scope *scope, const struct place *place,
		    const struct ellu_llm_config_in *in, const char *part, bool update,
		    struct notes *notes, int64_t *ret_id)
{
	if (in->ref)
		return resource_resolve(tx, RESOURCE_LLM_CONFIG, scope, in->ref, ret_id);
	return llm_config_put(tx, place, in->content, tx_printf(tx, "%s.content", part), update,
			      notes, ret_id);
}

int llm_config_load(struct tx *tx, int64_t id, struct ellu_llm_config **ret_config,
		    const char **ret_secret)
{
	struct ellu_llm_config *config;
	QUERY q = NULL;
	const char *secret;
	int r;

	r = db_query(tx->db, &q, "SELECT settings, secret, created_at, updated_at FROM llm_configs"
				 " WHERE id = ?1", "i", id);
	if (r >= 0)
		r = db_next(tx->db, q);
	if (r < 0)
		return r;
	if (r == 0)
		return fault_not_found(tx->fault, "llm_config", NULL, id);
	r = tx_decode(tx, &ellu_llm_config_type, column_peek(q, 0), &config);
	if (r < 0)
		return r;
	secret = tx_text(tx, q, 1);
	config->id = tx_int_value(tx, id);
	config->has_api_key = tx_bool_value(tx, secret || config->api_key_ref);
	config->created_at = tx_int(tx, q, 2);
	config->updated_at = tx_int(tx, q, 3);
	*ret_config = config;
	if (ret_secret)
		*ret_secret = secret;
	return 0;
}

int llm_config_load_key(struct tx *tx, int64_t id, const char *field,
			struct ellu_llm_config **ret_config)
{
	const char *secret;
	int r;

	r = llm_config_load(tx, id, ret_config, &secret);
	if (r < 0)
		return r;
	if (secret) {
		r = secrets_read(&tx->store->secrets, secret, tx->arena, &(*ret_config)->api_key);
		if (r == -ENOENT)
			tx->missing_secret = secret;
		if (r == -ENODATA)
			return fault_invalid(tx->fault, field, "a key that is not empty, as the file of "
					     "that of '%s' is: give the key again",
					     (*ret_config)->name);
		if (r < 0 && r != -ENOMEM)
			return fault_invalid(tx->fault, field, "a config whose key is still stored; "
					     "that of '%s' is gone", (*ret_config)->name);
		return r;
	}
	if ((*ret_config)->api_key_ref)
		return secret_resolve((*ret_config)->api_key_ref, field, tx->arena,
				      &(*ret_config)->api_key, tx->fault);
	return 0;
}

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool headers_equal(const struct ellu_llm_config *a, const struct ellu_llm_config *b)
{
	if (a->n_extra_headers != b->n_extra_headers)
		return false;
	for (size_t i = 0; i < a->n_extra_headers; i++) {
		size_t j = 0;

		while (j < b->n_extra_headers &&
		       strcmp(a->extra_headers[i].key, b->extra_headers[j].key) != 0)
			j++;
		if (j == b->n_extra_headers ||
		    strcmp(a->extra_headers[i].value, b->extra_headers[j].value) != 0)
			return false;
	}
	return true;
}

static int key_equal(struct tx *tx, const struct ellu_llm_config *config, const char *secret)
{
	const char *value;
	int r;

	if (!config->api_key)
		return 1;
	if (!secret)
		return 0;
	r = secrets_read(&tx->store->secrets, secret, tx->arena, &value);
	return r == -ENOMEM ? r : r == 0 && strcmp(value, config->api_key) == 0;
}

static int update(struct tx *tx, const struct ellu_llm_config *was, const char *secret,
		  const struct ellu_llm_config *config, const char *settings, const char *path)
{
	bool moved = !text_equal(was->provider, config->provider) ||
		     !text_equal(was->llm_base_url, config->llm_base_url) ||
		     !headers_equal(was, config);
	char name[SECRET_NAME_SIZE];
	const char *kept = secret;
	int r = 0;

	/* Who may write the config but not read the key must not send it elsewhere. */
	if (secret && moved && !config->api_key && !config->api_key_ref)
		return fault_invalid(tx->fault, tx_printf(tx, "%s.api_key", path),
				     "the key again, since base URL, provider or headers change");
	if (config->api_key || config->api_key_ref) {
		r = secrets_forget(&tx->store->writer.secrets, secret);
		kept = NULL;
	}
	if (r >= 0 && config->api_key) {
		r = secrets_store(&tx->store->secrets, &tx->store->writer.secrets, config->api_key,
				  name);
		kept = name;
	}
	if (r < 0)
		return r;
	return db_run(tx->db, "UPDATE llm_configs SET provider = ?2, llm_model_name = ?3,"
			      " settings = ?4, secret = ?5, updated_at = ?6 WHERE id = ?1",
		      "issssi", *was->id, config->provider, config->llm_model_name, settings, kept,
		      tx->now);
}

int llm_config_put(struct tx *tx, const struct place *place, const struct ellu_llm_config *config,
		   const char *path, bool may_update, struct notes *notes, int64_t *ret_id)
{
	struct ellu_llm_config *was;
	const char *settings, *was_settings, *secret;
	int r;

	r = llm_config_validate(tx, config, path, place->owner_uid);
	if (r < 0)
		return r;
	r = resource_find(tx, RESOURCE_LLM_CONFIG, place->project_id, config->name, ret_id);
	if (r < 0)
		return r;
	if (r == 0)
		return llm_config_insert(tx, place, config, ret_id);
	r = llm_config_load(tx, *ret_id, &was, &secret);
	if (r >= 0)
		r = settings_of(tx, was, &was_settings);
	if (r >= 0)
		r = settings_of(tx, config, &settings);
	if (r >= 0)
		r = identity_json_equal(settings, was_settings);
	if (r > 0)
		r = key_equal(tx, config, secret);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!may_update)
		return fault_conflict(tx->fault, "llm_config", config->name, *ret_id,
				      "a config of that name exists and differs");
	r = update(tx, was, secret, config, settings, path);
	if (r < 0)
		return r;
	return notes_add(tx, notes, "llm config '%s': updated", config->name);
}

static int llm_config_create_run(struct tx *tx, struct store_request *request)
{
	struct llm_config_create *op = (struct llm_config_create *)request;
	struct ellu_llm_config *config;
	struct place place;
	int64_t id;
	int r;

	r = place_resolve(tx, &op->scope, &place);
	if (r >= 0)
		r = llm_config_validate(tx, op->config, "llm_config", op->scope.uid);
	if (r >= 0)
		r = resource_find(tx, RESOURCE_LLM_CONFIG, place.project_id, op->config->name, &id);
	if (r < 0)
		return r;
	if (r > 0)
		return fault_conflict(tx->fault, "llm_config", op->config->name, id,
				      "a config of that name exists");
	r = llm_config_insert(tx, &place, op->config, &id);
	if (r >= 0)
		r = llm_config_load(tx, id, &config, NULL);
	if (r >= 0)
		op->ret_config = config;
	return r;
}

void store_llm_config_create(struct store *store, struct llm_config_create *op)
{
	tx_post(store, &op->request, STORE_WRITE, llm_config_create_run);
}

static int llm_config_get_run(struct tx *tx, struct store_request *request)
{
	struct llm_config_get *op = (struct llm_config_get *)request;
	struct ellu_llm_config *config;
	int64_t id;
	int r;

	r = resource_resolve(tx, RESOURCE_LLM_CONFIG, &op->scope, op->ref, &id);
	if (r >= 0)
		r = llm_config_load(tx, id, &config, NULL);
	if (r >= 0)
		op->ret_config = config;
	return r;
}

void store_llm_config_get(struct store *store, struct llm_config_get *op)
{
	tx_post(store, &op->request, STORE_POINT, llm_config_get_run);
}

static int load_item(struct tx *tx, int64_t id, const void **ret_item)
{
	struct ellu_llm_config *config;
	int r = llm_config_load(tx, id, &config, NULL);

	if (r >= 0)
		*ret_item = config;
	return r;
}

static int llm_configs_list_run(struct tx *tx, struct store_request *request)
{
	static const struct resource_list list = {
		.letter = 'l',
		.name = "llm_config",
		.type = &ellu_llm_config_type,
		RESOURCE_STATEMENTS("llm_configs"),
		.load = load_item,
	};
	struct llm_configs_list *op = (struct llm_configs_list *)request;

	return resource_list_run(tx, request, &list, &op->scope, LIST_ARGUMENTS(op->arguments));
}

void store_llm_configs_list(struct store *store, struct llm_configs_list *op)
{
	tx_post(store, &op->request, STORE_POINT, llm_configs_list_run);
}
