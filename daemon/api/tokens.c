#include "daemon/api/tokens.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/api/call.h"
#include "daemon/api/methods.h"
#include "daemon/base/clock.h"
#include "daemon/base/container_of.h"
#include "daemon/base/hash.h"
#include "daemon/base/log.h"
#include "proto/generated/interface.h"

#define TOKEN_PREFIX "ellu_"
/* Wrong ones in a row, and how many more a second: for one name, and in all. */
#define WRONG_BURST 10
#define WRONG_PER_SECOND 0.2
#define WRONG_BURST_OF_ALL 30
#define WRONG_PER_SECOND_OF_ALL 1
#define WRONG_RETRY_SECONDS 5

struct tokens {
	struct service *service;
	struct table table; // by key
	struct token *first;
	struct allowance_bucket wrong;
	struct tokens_load *loading; // NULL: it is done
	void (*ready)(void *userdata);
	void *userdata;
};

/* ---- Allowances ---- */

static double level_of(const struct allowance_bucket *bucket, double size, double per_second,
		       int64_t now_usec)
{
	double level = bucket->level + per_second * (double)(now_usec - bucket->at_usec) / USEC_PER_SEC;

	return !bucket->at_usec || level > size ? size : level;
}

static bool bucket_has(const struct allowance_bucket *bucket, double size, double per_second, int64_t now_usec)
{
	return level_of(bucket, size, per_second, now_usec) >= 1;
}

bool bucket_take(struct allowance_bucket *bucket, double size, double per_second, int64_t now_usec)
{
	double level = level_of(bucket, size, per_second, now_usec);

	bucket->at_usec = now_usec;
	bucket->level = level >= 1 ? level - 1 : level;
	return level >= 1;
}

/* ---- Holders ---- */

void token_hold(struct token_holder *holder, struct token *token)
{
	holder->token = token;
	holder->next = token->holders;
	holder->link = &token->holders;
	if (holder->next)
		holder->next->link = &holder->next;
	token->holders = holder;
}

void token_let_go(struct token_holder *holder)
{
	if (!holder->token)
		return;
	*holder->link = holder->next;
	if (holder->next)
		holder->next->link = holder->link;
	holder->token = NULL;
}

bool token_is_over(const struct token *token)
{
	return clock_wall_usec() >= token->expires_at_usec;
}

/* ---- The table ---- */

static uint64_t hash_of(const char *key)
{
	uint64_t number = strtoull(key, NULL, 16);

	return table_hash(number);
}

static struct token *find(const struct tokens *tokens, const char *key)
{
	struct table_node *node;

	for (node = table_first(&tokens->table, hash_of(key)); node; node = table_next(node)) {
		struct token *token = container_of(node, struct token, node);

		if (strcmp(token->key, key) == 0)
			return token;
	}
	return NULL;
}

static unsigned scopes_of(const char *scope)
{
	if (strcmp(scope, ELLU_TOKEN_SCOPE_ADMINISTER) == 0)
		return PRINCIPAL_ADMINISTERS;
	return strcmp(scope, ELLU_TOKEN_SCOPE_READ) == 0 ? PRINCIPAL_ONLY_READS : 0;
}

static int add(struct tokens *tokens, const struct stored_token *stored)
{
	struct token *token = calloc(1, sizeof(*token));

	if (!token)
		return -ENOMEM;
	token->id = stored->id;
	token->uid = stored->uid;
	token->project_id = stored->project_id;
	token->scopes = scopes_of(stored->scope);
	token->expires_at_usec = stored->expires_at_usec;
	memcpy(token->key, stored->key, sizeof(token->key));
	memcpy(token->digest, stored->digest, sizeof(token->digest));
	token->next = tokens->first;
	tokens->first = token;
	table_add(&tokens->table, &token->node, hash_of(token->key));
	return 0;
}

static void drop(struct tokens *tokens, struct token **link)
{
	struct token *token = *link;

	*link = token->next;
	table_remove(&tokens->table, &token->node);
	while (token->holders) {
		struct token_holder *holder = token->holders;

		token_let_go(holder);
		holder->taken_back(holder);
	}
	share_done(&token->lists);
	free(token);
}

/* ---- Checking ---- */

static int too_many(struct fault *fault)
{
	fault_set(fault, ELLU_E_TOO_MANY_REQUESTS, "too many wrong tokens were shown");
	fault->retry_after_seconds = WRONG_RETRY_SECONDS;
	return fault->code;
}

/* As long for a wrong one as for the right one. */
static bool is_same(const char *a, const char *b)
{
	unsigned char differs = 0;

	for (size_t i = 0; i < SHA256_TEXT_SIZE; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return !differs;
}

/* The name in a token's text. */
static bool take_key(const char *text, char ret_key[static TOKEN_KEY_SIZE])
{
	const size_t prefix = strlen(TOKEN_PREFIX), size = TOKEN_KEY_SIZE - 1;

	if (strncmp(text, TOKEN_PREFIX, prefix) != 0 || strspn(text + prefix, "0123456789abcdef") != size ||
	    text[prefix + size] != '_')
		return false;
	memcpy(ret_key, text + prefix, size);
	ret_key[size] = '\0';
	return true;
}

int tokens_check(struct tokens *tokens, const char *text, struct token **ret_token, struct fault *fault)
{
	int64_t now = clock_monotonic_usec();
	char key[TOKEN_KEY_SIZE], digest[SHA256_TEXT_SIZE];
	struct token *token = take_key(text, key) ? find(tokens, key) : NULL;

	/* Who has guessed at this one for too long is not told whether he is right at last. */
	if (token && !bucket_has(&token->wrong, WRONG_BURST, WRONG_PER_SECOND, now))
		return too_many(fault);
	if (token)
		token_digest(text, digest);
	if (token && is_same(digest, token->digest)) {
		if (token_is_over(token))
			return fault_set(fault, ELLU_E_UNAUTHENTICATED, "The token is over.");
		*ret_token = token;
		return 0;
	}
	if (token)
		(void)bucket_take(&token->wrong, WRONG_BURST, WRONG_PER_SECOND, now);
	if (!bucket_take(&tokens->wrong, WRONG_BURST_OF_ALL, WRONG_PER_SECOND_OF_ALL, now))
		return too_many(fault);
	return fault_set(fault, ELLU_E_UNAUTHENTICATED, "There is no such token.");
}

/* ---- Methods ---- */

static void on_created(struct call *call, struct store_request *request)
{
	const struct method_run *op = (const struct method_run *)request;
	struct tokens *tokens = call->service->tokens;

	if (add(tokens, op->ret_beside) < 0)
		call_fail_errno(call, -ENOMEM);
	else
		call_reply_stored(call, request);
}

int api_create_token(struct call *call)
{
	return call_run_method(call, on_created);
}

static void on_revoked(struct call *call, struct store_request *request)
{
	const struct method_run *op = (const struct method_run *)request;
	const struct stored_token *revoked = op->ret_beside;
	struct tokens *tokens = call->service->tokens;
	struct token **link = &tokens->first;

	while (*link && (*link)->id != revoked->id)
		link = &(*link)->next;
	if (*link)
		drop(tokens, link);
	call_reply_stored(call, request);
}

int api_revoke_token(struct call *call)
{
	return call_run_method(call, on_revoked);
}

/* ---- Life ---- */

static void on_loaded(struct store_request *request)
{
	struct tokens_load *op = (struct tokens_load *)request;
	struct tokens *tokens = request->userdata;
	int r = request->result;

	tokens->service->n_under_way--;
	for (size_t i = 0; r == 0 && i < op->ret_n; i++)
		r = add(tokens, op->ret_tokens[i]);
	if (r < 0)
		log_error("tokens cannot be read: %s", request->fault.code ? request->fault.message :
								     strerror(-r));
	tokens->loading = NULL;
	tokens->ready(tokens->userdata);
	store_request_done(request);
	free(op);
}

int tokens_new(struct service *service, void (*ready)(void *userdata), void *userdata,
	       struct tokens **ret_tokens)
{
	struct tokens *tokens = calloc(1, sizeof(*tokens));
	struct tokens_load *op = calloc(1, sizeof(*op));

	if (!tokens || !op || table_init(&tokens->table) < 0) {
		free(tokens);
		free(op);
		return -ENOMEM;
	}
	tokens->service = service;
	tokens->ready = ready;
	tokens->userdata = userdata;
	tokens->loading = op;
	store_request_init(&op->request, service->loop, on_loaded, tokens);
	op->request.uid = -1;
	op->request.for_uid = -1;
	service->n_under_way++;
	*ret_tokens = tokens;
	store_tokens_load(service->store, op);
	return 0;
}

struct tokens *tokens_free(struct tokens *tokens)
{
	if (!tokens)
		return NULL;
	while (tokens->first)
		drop(tokens, &tokens->first);
	table_done(&tokens->table);
	free(tokens);
	return NULL;
}
