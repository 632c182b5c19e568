#include "daemon/store/resources/projects/token.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/base/clock.h"
#include "proto/generated/interface.h"

#define KEY_BYTES ((TOKEN_KEY_SIZE - 1) / 2)
#define SECRET_BYTES 24

static int load(struct tx *tx, int64_t id, void *ret_token)
{
	struct ellu_token *token = TX_RECORD(tx, struct ellu_token);
	QUERY q = NULL;
	int r;

	if (!token)
		return -ENOMEM;
	r = db_row(tx->db, &q, "SELECT t.name, CASE WHEN NOT t.everywhere THEN p.name END, t.scope,"
			       " t.created_at, t.expires_at FROM tokens t JOIN projects p ON p.id = t.project_id"
			       " WHERE t.id = ?1", "i", id);
	if (r <= 0)
		return r < 0 ? r : fault_not_found(tx->fault, "token", NULL, id);
	token->id = id;
	token->name = tx_text(tx, q, 0);
	token->project = tx_text(tx, q, 1);
	token->scope = tx_text(tx, q, 2);
	token->created_at = column_int(q, 3);
	token->expires_at = column_int(q, 4);
	memcpy(ret_token, &token, sizeof(token));
	return 0;
}

const struct resource resource_token = {
	.name = "token",
	.noun = "a token",
	.type = &ellu_token_type,
	.letter = 'k',
	.by_id = "SELECT id FROM tokens WHERE id = ?1 AND (owner_uid = ?2 OR ?3)",
	.by_name = "SELECT id FROM tokens WHERE project_id = ?1 AND name = ?2",
	.place = "SELECT owner_uid, project_id FROM tokens WHERE id = ?1",
	.page_own = "SELECT id FROM tokens WHERE project_id = ?2 AND id < ?1 ORDER BY id DESC LIMIT ?3",
	.page_all = "SELECT id FROM tokens WHERE id < ?1 AND ?2 = ?2 ORDER BY id DESC LIMIT ?3",
	.count_own = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM tokens"
		     " WHERE project_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3)",
	.count_all = "SELECT count(*), max(id), count(*) FROM (SELECT id FROM tokens"
		     " WHERE ?1 = ?1 AND id > ?2 ORDER BY id LIMIT ?3)",
	.load = load,
};

/* ---- Making one ---- */

static int random_text(struct tx *tx, size_t n, const char **ret_text)
{
	unsigned char bytes[SECRET_BYTES];
	char *text = tx_alloc(tx, 2 * n + 1);

	if (!text)
		return -ENOMEM;
	if (getrandom(bytes, n, 0) != (ssize_t)n)
		return -EIO;
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	*ret_text = text;
	return 0;
}

void token_digest(const char *text, char ret_digest[static SHA256_TEXT_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;

	sha256_init(&hash);
	sha256_add(&hash, text, strlen(text));
	sha256_done(&hash, digest);
	sha256_text(digest, ret_digest);
}

/* Those that are over go, and there is room for another one of that name. */
static int check(struct tx *tx, const struct place *place, const char *name)
{
	int64_t n = 0, id;
	int r = db_run(tx->db, "DELETE FROM tokens WHERE owner_uid = ?1 AND expires_at <= ?2", "ii",
		       place->owner_uid, tx->now);

	if (r >= 0)
		r = db_int(tx->db, &n, "SELECT count(*) FROM tokens WHERE owner_uid = ?1", "i",
			   place->owner_uid);
	if (r >= 0 && n >= TOKENS_MAX)
		return fault_conflict(tx->fault, "token", NULL, 0, "a user has at most %d tokens",
				      TOKENS_MAX);
	if (r >= 0)
		r = resource_find(tx, &resource_token, place->project_id, name, &id);
	return r > 0 ? fault_conflict(tx->fault, "token", name, id, "a token of that name exists") : r;
}

static int insert(struct tx *tx, const struct place *place,
		  const struct ellu_create_token_request *request, struct stored_token *token)
{
	token->uid = place->owner_uid;
	token->project_id = request->everywhere ? 0 : place->project_id;
	token->scope = request->scope;
	token->expires_at_usec = tx->now + (int64_t)(request->expires_in_seconds * USEC_PER_SEC);
	return db_insert(tx->db, &token->id,
			 "INSERT INTO tokens (owner_uid, project_id, name, everywhere, scope, key, digest,"
			 " created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
			 "iisbsssii", place->owner_uid, place->project_id, request->name,
			 request->everywhere, request->scope, token->key, token->digest, tx->now,
			 token->expires_at_usec);
}

int token_create(struct tx *tx, struct method_run *op)
{
	const struct ellu_create_token_request *request = op->arguments;
	struct ellu_create_token_reply *reply = method_reply(tx, op);
	struct stored_token *token = tx_alloc(tx, sizeof(*token));
	const char *key, *secret;
	struct place place;
	int r;

	if (!reply || !token)
		return -ENOMEM;
	if (strcmp(request->scope, "administer") == 0 && !op->scope.administers)
		return fault_set(tx->fault, ELLU_E_PERMISSION_DENIED,
				 "Only administrators make tokens that administer.");
	r = place_resolve(tx, &op->scope, &place);
	if (r >= 0)
		r = check(tx, &place, request->name);
	if (r >= 0)
		r = random_text(tx, KEY_BYTES, &key);
	if (r >= 0)
		r = random_text(tx, SECRET_BYTES, &secret);
	if (r < 0)
		return r;
	memcpy(token->key, key, TOKEN_KEY_SIZE);
	reply->secret = tx_printf(tx, "ellu_%s_%s", key, secret);
	if (!reply->secret)
		return -ENOMEM;
	token_digest(reply->secret, token->digest);
	r = insert(tx, &place, request, token);
	op->ret_beside = token;
	return r < 0 ? r : load(tx, token->id, &reply->token);
}

int token_revoke(struct tx *tx, struct method_run *op)
{
	const struct ellu_revoke_token_request *request = op->arguments;
	struct stored_token *token = tx_alloc(tx, sizeof(*token));
	struct place place;
	int r;

	if (!method_reply(tx, op) || !token)
		return -ENOMEM;
	r = resource_resolve_own(tx, &resource_token, &op->scope, request->token, &token->id, &place);
	op->ret_beside = token;
	return r < 0 ? r : db_run(tx->db, "DELETE FROM tokens WHERE id = ?1", "i", token->id);
}

/* ---- All of them ---- */

static struct stored_token *read_row(struct tx *tx, sqlite3_stmt *row)
{
	struct stored_token *token = tx_alloc(tx, sizeof(*token));

	if (!token)
		return NULL;
	*token = (struct stored_token){
		.id = column_int(row, 0),
		.uid = column_int(row, 1),
		.project_id = column_int(row, 2),
		.scope = tx_text(tx, row, 3),
		.expires_at_usec = column_int(row, 6),
	};
	snprintf(token->key, sizeof(token->key), "%s", column_peek(row, 4));
	snprintf(token->digest, sizeof(token->digest), "%s", column_peek(row, 5));
	return token;
}

static int tokens_load_run(struct tx *tx, struct tokens_load *op)
{
	struct tx_list tokens = { 0 };
	QUERY q = NULL;
	int r;

	r = db_query(tx->db, &q, "SELECT id, owner_uid, CASE WHEN everywhere THEN 0 ELSE project_id END, scope,"
				 " key, digest, expires_at FROM tokens WHERE id > ?1 ORDER BY id", "i",
		     (int64_t)0);
	while (r >= 0 && (r = db_next(tx->db, q)) > 0) {
		struct stored_token *token = read_row(tx, q);

		r = token ? tx_append(tx, &tokens, token) : -ENOMEM;
	}
	op->ret_tokens = tx_list_items(tx, &tokens);
	op->ret_n = tokens.n;
	return r;
}

STORE_OPERATION(tokens_load, STORE_SCAN, false)
