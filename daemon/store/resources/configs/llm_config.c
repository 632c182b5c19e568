#include "daemon/store/resources/configs/llm_config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "daemon/base/ca_file.h"
#include "daemon/base/log.h"
#include "daemon/base/prices.h"
#include "daemon/store/engine/store_internal.h"
#include "daemon/store/resources/identity.h"
#include "daemon/store/resources/configs/llm_config_secret.h"
#include "proto/content/llm_config_rules.h"
#include "proto/generated/interface.h"
#include "proto/provider.h"
#include "proto/text/utf8.h"

/* What the row has in columns of its own, and what the store must not have. */
static int settings_of(struct tx *tx, const struct ellu_llm_config *config, const char **ret_text)
{
	struct ellu_llm_config copy = *config;

	copy.id = copy.created_at = copy.updated_at = NULL;
	copy.has_api_key = NULL;
	return tx_encode(tx, &ellu_llm_config_type, &copy, ret_text);
}

void llm_config_take_prices(struct ellu_llm_config *config, const struct ellu_llm_config *from)
{
	config->price_input = from->price_input;
	config->price_output = from->price_output;
	config->price_cached_input = from->price_cached_input;
	config->price_cache_write = from->price_cache_write;
	config->price_reasoning = from->price_reasoning;
}

void llm_config_take_way(struct ellu_llm_config *config, const struct ellu_llm_config *from)
{
	config->api_key_ref = from->api_key_ref;
	config->proxy = from->proxy;
	config->ca_file = from->ca_file;
	llm_config_take_prices(config, from);
	config->max_connections = from->max_connections;
	config->requests_per_minute = from->requests_per_minute;
	config->tokens_per_minute = from->tokens_per_minute;
	config->requests_per_day = from->requests_per_day;
	config->tokens_per_day = from->tokens_per_day;
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
	r = config_drop_fingerprints(tx, &copy, CONFIG_SECRET_KEY);
	if (r >= 0)
		r = settings_of(tx, &copy, &text);
	if (r < 0)
		return r;
	identity_init(&identity);
	r = identity_json(&identity, text);
	identity_done(&identity, ret_identity);
	return r;
}

/* Of what is written only, stays where the content does not say it: the query where the URL is said as
 * it was answered. */
static bool keeps(const struct ellu_llm_config *was, const struct ellu_llm_config *config,
		  enum config_secret kind)
{
	if (!config_has_secret(was, kind))
		return false;
	switch (kind) {
	case CONFIG_SECRET_KEY:
		return !config->api_key && !config->api_key_ref;
	case CONFIG_SECRET_URL:
		return same_text(was->llm_base_url, config->llm_base_url);
	case CONFIG_SECRET_HEADERS:
		return !config->extra_headers;
	default:
		return !config->extra_body;
	}
}

static int check(struct tx *tx, const struct place *place, int64_t id, const void *content,
		 const char *path)
{
	struct ellu_llm_config config = *(const struct ellu_llm_config *)content, *was;
	int r = 0, kept;
	size_t size;
	char *text;

	if (id) {
		r = llm_config_load(tx, id, &was, NULL);
		kept = r >= 0 && (keeps(was, &config, CONFIG_SECRET_KEY) ||
				  keeps(was, &config, CONFIG_SECRET_HEADERS));
		config.has_api_key = &kept;
	}
	if (r >= 0)
		r = llm_config_check(&config, path, tx->store->options.system && !place->administers,
				     tx->arena, tx->fault);
	if (r < 0 || !config.ca_file)
		return r;
	return ca_file_read(config.ca_file, tx_printf(tx, "%s.ca_file", path), tx->arena, &text,
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
							 config_has_secret(config, CONFIG_SECRET_KEY));
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

int llm_config_check_there(struct tx *tx, const struct ellu_llm_config *config, const char *field,
			   struct fault *fault)
{
	int64_t one;
	int r = db_int(tx->db, &one, "SELECT 1 FROM llm_configs WHERE id = ?1 AND deleted_at IS NULL",
		       "i", *config->id);

	return r != 0 ? r : fault_invalid(fault, field, "a config that is there; '%s' was deleted",
					  config->name);
}

int llm_config_load_key(struct tx *tx, int64_t id, const char *field,
			struct ellu_llm_config **ret_config)
{
	const char *secret;
	int r;

	r = llm_config_load(tx, id, ret_config, &secret);
	if (r >= 0)
		r = llm_config_check_there(tx, *ret_config, field, tx->fault);
	if (r >= 0 && secret)
		r = unseal(tx, secret, field, *ret_config);
	if (r >= 0 && (*ret_config)->api_key_ref)
		r = secret_resolve((*ret_config)->api_key_ref, field, tx->arena,
				   &(*ret_config)->api_key, tx->fault);
	return r;
}

static void fill_price(struct tx *tx, int64_t price, const int64_t **value)
{
	if (!*value && price >= 0)
		*value = tx_int_value(tx, price);
}

void llm_config_fill_prices(struct tx *tx, struct ellu_llm_config *config)
{
	const struct price *price = NULL;

	if (!config->price_input && !config->price_output)
		price = prices_find(tx->store->options.prices, config->provider,
				    config->llm_base_url, config->llm_model_name);
	if (!price)
		return;
	fill_price(tx, price->input, &config->price_input);
	fill_price(tx, price->output, &config->price_output);
	fill_price(tx, price->cached, &config->price_cached_input);
	fill_price(tx, price->cache_write, &config->price_cache_write);
	fill_price(tx, price->reasoning, &config->price_reasoning);
}

void llm_config_check_prices(struct tx *tx, const struct ellu_llm_config *config,
			     struct fault *rejected)
{
	struct ellu_llm_config priced = *config;
	const char *missing;

	llm_config_fill_prices(tx, &priced);
	if ((priced.price_input && priced.price_output) || provider_is_simulated(config->provider))
		return;
	missing = !priced.price_input && !priced.price_output ? "price_input and price_output" :
		  !priced.price_input			       ? "price_input" :
								 "price_output";
	fault_invalid(rejected, "cost_limit", "no limit, since what '%s' costs is not known: its "
		      "config has no %s", config->name, missing);
}

/* ---- Content ---- */

static int insert(struct tx *tx, const struct place *place, const void *content, void *prepared,
		  struct notes *notes, int64_t *ret_id)
{
	int r = llm_config_insert(tx, place, content, ret_id);

	(void)prepared;
	return r < 0 ? r : note_plain(tx, notes, content);
}

struct change {
	struct ellu_llm_config *was;
	const char *was_secret; // the name of its file, or NULL
	struct ellu_llm_config config; // as it is to be, secrets included once they are taken over
	struct ellu_llm_config public;
	const char *settings;
	const char *secret; // the text of its file, or NULL
	bool keeps[_CONFIG_SECRET_MAX];
};

static int change_read(struct tx *tx, int64_t id, const struct ellu_llm_config *config,
		       struct change *ret_change)
{
	int r;

	*ret_change = (struct change){ .config = *config };
	r = llm_config_load(tx, id, &ret_change->was, &ret_change->was_secret);
	if (r >= 0)
		r = config_seal(tx, config, &ret_change->public, &ret_change->secret);
	for (int kind = 0; r >= 0 && kind < _CONFIG_SECRET_MAX; kind++) {
		ret_change->keeps[kind] = keeps(ret_change->was, config, kind);
		if (ret_change->keeps[kind])
			r = config_keep_fingerprints(tx, &ret_change->public, ret_change->was, kind);
	}
	return r < 0 ? r : settings_of(tx, &ret_change->public, &ret_change->settings);
}

/* Also when what is stored cannot be read any more and the content says it. */
static int differs(struct tx *tx, int64_t id, const void *content, void *prepared)
{
	struct ellu_llm_config copy;
	const char *was_settings;
	struct change change;
	int r;

	(void)prepared;
	r = change_read(tx, id, content, &change);
	if (r >= 0)
		r = settings_of(tx, change.was, &was_settings);
	if (r >= 0)
		r = identity_json_equal(change.settings, was_settings);
	if (r <= 0 || !change.was_secret || !change.secret)
		return r < 0 ? r : !r;
	copy = *change.was;
	r = config_unseal(tx, change.was_secret, &copy);
	return r == -ENOMEM ? r : r < 0;
}

static bool moves(const struct ellu_llm_config *was, const struct ellu_llm_config *public)
{
	return !same_text(was->provider, public->provider) ||
	       !same_text(was->llm_base_url, public->llm_base_url) ||
	       !same_text(was->proxy, public->proxy) || !same_text(was->ca_file, public->ca_file) ||
	       !config_secrets_equal(was, public, CONFIG_SECRET_HEADERS) ||
	       !config_secrets_equal(was, public, CONFIG_SECRET_URL);
}

/* Who may write the config but not read its secrets must not send them elsewhere. */
static int take_secrets(struct tx *tx, struct change *change, const char *path)
{
	const bool moved = moves(change->was, &change->public);
	struct ellu_llm_config old = *change->was, *config = &change->config;
	const char *field = NULL;
	int r;

	for (int kind = 0; kind < _CONFIG_SECRET_MAX && !field; kind++)
		if (change->keeps[kind])
			field = tx_printf(tx, "%s.%s", path, config_secret_field(kind));
	if (!field)
		return 0;
	if (moved)
		return fault_invalid(tx->fault, field, "it again, since base URL, provider, headers, "
				     "proxy or ca_file change; a config that needs none takes "
				     "another name");
	r = unseal(tx, change->was_secret, field, &old);
	if (r < 0)
		return r;
	for (int kind = 0; kind < _CONFIG_SECRET_MAX; kind++)
		if (change->keeps[kind])
			config_copy_secret(config, &old, kind);
	return config_seal(tx, config, &change->public, &change->secret);
}

static int update(struct tx *tx, int64_t id, const void *content, void *prepared, const char *path,
		  struct notes *notes)
{
	char buffer[SECRET_NAME_SIZE];
	struct change change;
	const char *name;
	int r;

	(void)prepared;
	r = change_read(tx, id, content, &change);
	if (r >= 0)
		r = take_secrets(tx, &change, path);
	if (r >= 0)
		r = secrets_forget(&tx->store->writer.secrets, change.was_secret);
	if (r >= 0)
		r = store_secret(tx, change.secret, buffer, &name);
	if (r >= 0)
		r = db_run(tx->db, "UPDATE llm_configs SET name = ?2, provider = ?3,"
				   " llm_model_name = ?4, settings = ?5, secret = ?6, shared = ?7,"
				   " updated_at = ?8 WHERE id = ?1",
			   "isssssbi", id, change.config.name, change.config.provider,
			   change.config.llm_model_name, change.settings, name,
			   is_shared(&change.config), tx->now);
	if (r >= 0)
		r = notes_add(tx, notes, "llm config '%s': updated", change.config.name);
	return r < 0 ? r : note_plain(tx, notes, &change.config);
}

int llm_config_take(struct tx *tx, const struct scope *scope, const struct place *place,
		    const struct ellu_llm_config_in *in, const char *part, bool may_update,
		    struct notes *notes, int64_t *ret_id)
{
	if (!in)
		return db_int(tx->db, ret_id, "SELECT default_llm_config_id FROM projects WHERE id = ?1",
			      "i", place->project_id);
	if (in->ref)
		return resource_resolve(tx, &resource_llm_config, scope, in->ref, ret_id);
	return resource_put(tx, &resource_llm_config, place, in->content, NULL,
			    tx_printf(tx, "%s.content", part), may_update, notes, ret_id);
}

static int load(struct tx *tx, int64_t id, void *ret_config)
{
	return llm_config_load(tx, id, ret_config, NULL);
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

/* What it holds of keys goes; the rest says how results came about. */
static int discard(struct tx *tx, int64_t id)
{
	const char *secret;
	QUERY q = NULL;
	int r;

	r = db_row(tx->db, &q, "SELECT l.name, l.secret, p.name, p.default_llm_config_id = ?1,"
			       " p.rating_llm_config_id = ?1 FROM llm_configs l"
			       " JOIN projects p ON p.id = l.project_id WHERE l.id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "llm_config", NULL, id);
	if (column_int(q, 3) || column_int(q, 4))
		return fault_conflict(tx->fault, "llm_config", column_peek(q, 0), id,
				      "the project '%s' %s: choose another one first",
				      column_peek(q, 2),
				      column_int(q, 3) ? "has it as its default" : "judges with it");
	secret = tx_text(tx, q, 1);
	r = secrets_forget(&tx->store->writer.secrets, secret);
	return r < 0 ? r : db_run(tx->db, "UPDATE llm_configs SET secret = NULL WHERE id = ?1", "i", id);
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
	.differs = differs,
	.update = update,
	.live = "SELECT t.id FROM tasks t CROSS JOIN runs r ON r.id = t.run_id"
		" LEFT JOIN panel_judges p ON p.panel_id = r.judge_id"
		" LEFT JOIN judges j ON j.id = coalesce(p.judge_id, r.judge_id) WHERE t.finished_at IS NULL"
		" AND (r.llm_config_id = ?1 OR j.llm_config_id = ?1 OR EXISTS (SELECT 1"
		"  FROM run_configs c WHERE c.run_id = r.id AND c.llm_config_id = ?1)) LIMIT 1",
	.discard = discard,
};
