#include "daemon/store/resources/llm_config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "daemon/base/ca_file.h"
#include "daemon/base/log.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/llm_config_secret.h"
#include "proto/generated/interface.h"
#include "proto/llm_config_rules.h"
#include "proto/provider.h"
#include "proto/utf8.h"

/* What the row has in columns of its own, and what the store must not have. */
static int settings_of(struct tx *tx, const struct ellu_llm_config *config, const char **ret_text)
{
	struct ellu_llm_config copy = *config;

	copy.id = copy.created_at = copy.updated_at = NULL;
	copy.has_api_key = NULL;
	return tx_encode(tx, &ellu_llm_config_type, &copy, ret_text);
}

void llm_config_take_way(struct ellu_llm_config *config, const struct ellu_llm_config *from)
{
	config->api_key_ref = from->api_key_ref;
	config->proxy = from->proxy;
	config->ca_file = from->ca_file;
	config->price_input = from->price_input;
	config->price_output = from->price_output;
	config->max_connections = from->max_connections;
	config->max_retries = from->max_retries;
	config->timeout_seconds = from->timeout_seconds;
	config->connect_seconds = from->connect_seconds;
	config->first_byte_seconds = from->first_byte_seconds;
	config->stall_seconds = from->stall_seconds;
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
	copy.shared = NULL;
	llm_config_take_way(&copy, &(struct ellu_llm_config){ 0 });
	r = config_drop_fingerprint(tx, &copy, SECRET_OF_KEY);
	if (r >= 0)
		r = settings_of(tx, &copy, &text);
	if (r < 0)
		return r;
	identity_init(&identity);
	r = identity_json(&identity, text);
	identity_done(&identity, ret_identity);
	return r;
}

static int check(struct tx *tx, const struct place *place, const void *content, const char *path)
{
	const struct ellu_llm_config *config = content;
	size_t size;
	char *text;
	int r = llm_config_check(config, path, tx->store->options.system && !place->administers, tx->arena,
				 tx->fault);

	if (r < 0 || !config->ca_file)
		return r;
	return ca_file_read(config->ca_file, tx_printf(tx, "%s.ca_file", path), tx->arena, &text,
			    &size, tx->fault);
}

/* ---- Keys in plain sight ---- */

static bool is_loopback(const char *host, size_t size)
{
	return (size == 9 && strncasecmp(host, "localhost", 9) == 0) ||
	       (size > 10 && strncasecmp(host + size - 10, ".localhost", 10) == 0) ||
	       (size > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= size) ||
	       (size == 5 && strncmp(host, "[::1]", 5) == 0);
}

/* A key that anybody on the way can read. */
static bool is_plain(const struct ellu_llm_config *config)
{
	const char *host = config->llm_base_url;

	if (!host || strncasecmp(host, "http://", 7) != 0 ||
	    (!config->api_key && !config->api_key_ref && !config->n_extra_headers &&
	     !strchr(host, '?')))
		return false;
	host += 7;
	return !is_loopback(host, *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#"));
}

#define PLAIN_WARNING "llm config '%s': what it holds of keys goes unencrypted over http"

static int note_plain(struct tx *tx, struct notes *notes, const struct ellu_llm_config *config)
{
	const char *warning;
	int r;

	if (!is_plain(config))
		return 0;
	warning = tx_printf(tx, PLAIN_WARNING, config->name);
	r = tx_append(tx, &notes->lines, warning);
	return r < 0 ? r : tx_append(tx, &notes->warnings, warning);
}

/* The file is written before the row that names it commits. *ret_name is `buffer`, or NULL. */
static int store_secret(struct tx *tx, const char *secret, char buffer[static SECRET_NAME_SIZE],
			const char **ret_name)
{
	*ret_name = secret ? buffer : NULL;
	return secret ? secrets_store(&tx->store->secrets, &tx->store->writer.secrets, secret, buffer) :
			0;
}

static int is_shared(const struct ellu_llm_config *config)
{
	return config->shared && *config->shared;
}

int llm_config_insert(struct tx *tx, const struct place *place,
		      const struct ellu_llm_config *config, int64_t *ret_id)
{
	struct ellu_llm_config public;
	char buffer[SECRET_NAME_SIZE];
	const char *settings, *secret, *name;
	int r;

	r = config_seal(tx, config, &public, &secret);
	if (r >= 0)
		r = settings_of(tx, &public, &settings);
	if (r >= 0)
		r = store_secret(tx, secret, buffer, &name);
	if (r >= 0)
		r = db_insert(tx->db, ret_id,
			      "INSERT INTO llm_configs (owner_uid, project_id, name, provider,"
			      " llm_model_name, settings, secret, shared, created_at, updated_at)"
			      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)",
			      "iisssssbi", place->owner_uid, place->project_id, config->name,
			      config->provider, config->llm_model_name, settings, name,
			      is_shared(config), tx->now);
	return r;
}

int llm_config_load(struct tx *tx, int64_t id, struct ellu_llm_config **ret_config,
		    const char **ret_secret)
{
	struct ellu_llm_config *config;
	QUERY q = NULL;
	const char *secret;
	int r;

	r = db_row(tx->db, &q, "SELECT settings, secret, created_at, updated_at FROM llm_configs"
			       " WHERE id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "llm_config", NULL, id);
	r = tx_decode(tx, &ellu_llm_config_type, column_peek(q, 0), &config);
	if (r < 0)
		return r;
	secret = tx_text(tx, q, 1);
	config->id = tx_int_value(tx, id);
	config->has_api_key = tx_bool_value(tx, config->api_key_ref ||
							 config_fingerprint(config, SECRET_OF_KEY));
	config->created_at = tx_int(tx, q, 2);
	config->updated_at = tx_int(tx, q, 3);
	*ret_config = config;
	if (ret_secret)
		*ret_secret = secret;
	return 0;
}

static int unseal(struct tx *tx, const char *secret, const char *field,
		  struct ellu_llm_config *config)
{
	int r = config_unseal(tx, secret, config);

	if (r == -ENOENT)
		tx->missing_secret = secret;
	if (r == -ENODATA || r == -EBADMSG)
		return fault_invalid(tx->fault, field, "a config whose key can be read; the file of that "
				     "of '%s' is %s: give the key again", config->name,
				     r == -ENODATA ? "empty" : "damaged");
	if (r < 0 && r != -ENOMEM)
		return fault_invalid(tx->fault, field, "a config whose key is still stored; that of "
				     "'%s' is gone: give it again", config->name);
	return r;
}

int llm_config_load_key(struct tx *tx, int64_t id, const char *field,
			struct ellu_llm_config **ret_config)
{
	const char *secret;
	int r;

	r = llm_config_load(tx, id, ret_config, &secret);
	if (r >= 0 && secret)
		r = unseal(tx, secret, field, *ret_config);
	if (r >= 0 && (*ret_config)->api_key_ref)
		r = secret_resolve((*ret_config)->api_key_ref, field, tx->arena,
				   &(*ret_config)->api_key, tx->fault);
	return r;
}

void llm_config_check_prices(const struct ellu_llm_config *config, struct fault *rejected)
{
	const char *missing = !config->price_input && !config->price_output ?
				      "price_input and price_output" :
			      !config->price_input ? "price_input" :
						     "price_output";

	if ((config->price_input && config->price_output) ||
	    provider_is_simulated(config->provider))
		return;
	fault_invalid(rejected, "cost_limit", "no limit, since what '%s' costs is not known: its "
		      "config has no %s", config->name, missing);
}

/* ---- Bringing it to a request ---- */

struct update {
	struct ellu_llm_config *was;
	const char *was_secret; // the name of its file, or NULL
	struct ellu_llm_config config; // as it is to be, secrets included
	struct ellu_llm_config public;
	const char *settings;
	const char *secret; // the text of its file, or NULL
	bool keeps_key; // that of `was`
};

static int prepare(struct tx *tx, struct update *update)
{
	const char *kept = config_fingerprint(update->was, SECRET_OF_KEY);
	int r;

	update->keeps_key = kept && !update->config.api_key && !update->config.api_key_ref;
	r = config_seal(tx, &update->config, &update->public, &update->secret);
	if (r >= 0 && update->keeps_key)
		r = config_add_fingerprint(tx, &update->public, SECRET_OF_KEY, kept);
	return r < 0 ? r : settings_of(tx, &update->public, &update->settings);
}

/* Equal, and what is stored can still be read. */
static int is_unchanged(struct tx *tx, const struct update *update)
{
	struct ellu_llm_config copy = *update->was;
	const char *was_settings;
	int r;

	r = settings_of(tx, update->was, &was_settings);
	if (r >= 0)
		r = identity_json_equal(update->settings, was_settings);
	if (r <= 0 || !update->was_secret || !update->secret)
		return r;
	r = config_unseal(tx, update->was_secret, &copy);
	return r == -ENOMEM ? r : r >= 0;
}

/* Who may write the config but not read the key must not send it elsewhere. */
static int take_key(struct tx *tx, struct update *update, const char *path)
{
	const struct ellu_llm_config *was = update->was, *public = &update->public;
	const char *field = tx_printf(tx, "%s.api_key", path);
	struct ellu_llm_config old = *was;
	int r;

	if (!same_text(was->provider, public->provider) ||
	    !same_text(was->llm_base_url, public->llm_base_url) ||
	    !same_text(was->proxy, public->proxy) || !same_text(was->ca_file, public->ca_file) ||
	    !config_fingerprints_equal(was, public, SECRET_OF_HEADERS) ||
	    !config_fingerprints_equal(was, public, SECRET_OF_URL))
		return fault_invalid(tx->fault, field, "the key again, since base URL, provider, headers, "
				     "proxy or ca_file change; a config that needs none takes "
				     "another name");
	r = unseal(tx, update->was_secret, field, &old);
	if (r < 0)
		return r;
	update->config.api_key = old.api_key;
	return config_seal(tx, &update->config, &update->public, &update->secret);
}

static int apply(struct tx *tx, struct update *update, const char *path)
{
	const struct ellu_llm_config *config = &update->config;
	char buffer[SECRET_NAME_SIZE];
	const char *name;
	int r = update->keeps_key ? take_key(tx, update, path) : 0;

	if (r >= 0)
		r = secrets_forget(&tx->store->writer.secrets, update->was_secret);
	if (r >= 0)
		r = store_secret(tx, update->secret, buffer, &name);
	if (r < 0)
		return r;
	return db_run(tx->db, "UPDATE llm_configs SET provider = ?2, llm_model_name = ?3,"
			      " settings = ?4, secret = ?5, shared = ?6, updated_at = ?7 WHERE id = ?1",
		      "issssbi", *update->was->id, config->provider, config->llm_model_name,
		      update->settings, name, is_shared(config), tx->now);
}

static int put(struct tx *tx, const struct place *place, const struct ellu_llm_config *config,
	       const char *path, bool may_update, struct notes *notes, int64_t *ret_id)
{
	struct update update = { .config = *config };
	int r;

	r = check(tx, place, config, path);
	if (r < 0)
		return r;
	r = resource_find(tx, &resource_llm_config, place->project_id, config->name, ret_id);
	if (r < 0)
		return r;
	if (r == 0) {
		r = llm_config_insert(tx, place, config, ret_id);
		return r < 0 ? r : note_plain(tx, notes, config);
	}
	r = llm_config_load(tx, *ret_id, &update.was, &update.was_secret);
	if (r >= 0)
		r = prepare(tx, &update);
	if (r >= 0)
		r = is_unchanged(tx, &update);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!may_update)
		return fault_conflict(tx->fault, "llm_config", config->name, *ret_id,
				      "a config of that name exists and differs");
	r = apply(tx, &update, path);
	if (r >= 0)
		r = notes_add(tx, notes, "llm config '%s': updated", config->name);
	return r < 0 ? r : note_plain(tx, notes, &update.config);
}

int llm_config_take(struct tx *tx, const struct scope *scope, const struct place *place,
		    const struct ellu_llm_config_in *in, const char *part, bool update,
		    struct notes *notes, int64_t *ret_id)
{
	if (!in)
		return db_int(tx->db, ret_id, "SELECT default_llm_config_id FROM projects WHERE id = ?1",
			      "i", place->project_id);
	if (in->ref)
		return resource_resolve(tx, &resource_llm_config, scope, in->ref, ret_id);
	return put(tx, place, in->content, tx_printf(tx, "%s.content", part), update, notes, ret_id);
}

static int load(struct tx *tx, int64_t id, void *ret_config)
{
	return llm_config_load(tx, id, ret_config, NULL);
}

static int insert(struct tx *tx, const struct place *place, const void *content, void *prepared,
		  int64_t *ret_id)
{
	const struct ellu_llm_config *config = content;
	int r = llm_config_insert(tx, place, config, ret_id);

	(void)prepared;
	if (r >= 0 && is_plain(config))
		log_warning(PLAIN_WARNING, config->name);
	return r;
}

/* One of the project's, else one that an administrator shares with all. */
static int find_ref(struct tx *tx, const struct scope *scope, const struct ellu_ref *ref,
		    int64_t *ret_id)
{
	struct place place;
	int r;

	if (ref->id)
		return db_int(tx->db, ret_id, "SELECT id FROM llm_configs WHERE id = ?1"
					      " AND (owner_uid = ?2 OR ?3 OR shared)"
					      " AND deleted_at IS NULL",
			      "iib", *ref->id, scope->uid, (int)scope->all);
	r = place_resolve(tx, scope, &place);
	if (r >= 0)
		r = resource_find(tx, &resource_llm_config, place.project_id, ref->name, ret_id);
	return r != 0 ? r : db_int(tx->db, ret_id, "SELECT id FROM llm_configs WHERE name = ?1"
						   " AND shared AND deleted_at IS NULL"
						   " ORDER BY id LIMIT 1",
				   "s", ref->name);
}

const struct resource resource_llm_config = {
	.name = "llm_config",
	.noun = "a config",
	.type = &ellu_llm_config_type,
	.letter = 'l',
	RESOURCE_STATEMENTS("llm_configs"),
	.find_ref = find_ref,
	.load = load,
	.check = check,
	.insert = insert,
};
