#include "proto/wire/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/cleanup.h"
#include "proto/json/json_check.h"
#include "proto/limits.h"
#include "proto/record/record.h"
#include "proto/wire/method.h"

/* ---- Decoding ---- */

/* One key of an envelope, and where its value goes: exactly one of the three. */
struct member {
	const char *key;
	const char **string;
	json_object **object;
	bool *boolean;
};

static bool member_take(const struct member *member, json_object *json)
{
	if (member->string) {
		*member->string = json_object_get_string(json);
		return json_object_is_type(json, json_type_string);
	}
	if (member->boolean) {
		*member->boolean = json_object_get_boolean(json);
		return json_object_is_type(json, json_type_boolean);
	}
	if (!json) // some clients write null for no parameters
		return true;
	*member->object = json;
	return json_object_is_type(json, json_type_object);
}

static int envelope_decode(json_object *envelope, const struct member *members, size_t n,
			   struct fault *fault)
{
	if (!json_object_is_type(envelope, json_type_object))
		return fault_message(fault, 0, "the message is no object");
	json_object_object_foreach(envelope, key, json)
	{
		size_t i = 0;

		while (i < n && strcmp(members[i].key, key) != 0)
			i++;
		if (i == n)
			return fault_message(fault, 0, "unknown member '%.100s'", key);
		if (!member_take(&members[i], json))
			return fault_message(fault, 0, "'%s' is of the wrong type", key);
	}
	return 0;
}

/* The envelope owns the parameters, so given ones are only lent. */
static int add_empty_parameters(json_object *envelope, json_object **parameters,
				struct fault *fault)
{
	if (*parameters)
		return 0;
	*parameters = json_object_new_object();
	if (!*parameters || json_object_object_add(envelope, "parameters", *parameters) < 0) {
		json_object_put(*parameters);
		return fault_oom(fault);
	}
	return 0;
}

static int call_from_envelope(json_object *envelope, struct wire_call *call, struct fault *fault)
{
	bool oneway = false, more = false, upgrade = false;
	const struct member members[] = {
		{ .key = "method", .string = &call->method },
		{ .key = "parameters", .object = &call->parameters },
		{ .key = "oneway", .boolean = &oneway },
		{ .key = "more", .boolean = &more },
		{ .key = "upgrade", .boolean = &upgrade },
	};
	int r = envelope_decode(envelope, members, sizeof(members) / sizeof(members[0]), fault);

	if (r < 0)
		return r;
	if (!call->method)
		return fault_message(fault, 0, "'method' is missing");
	if (oneway && more)
		return fault_message(fault, 0, "'oneway' and 'more' exclude each other");
	call->flags = (oneway ? WIRE_ONEWAY : 0u) | (more ? WIRE_MORE : 0u) |
		      (upgrade ? WIRE_UPGRADE : 0u);
	return add_empty_parameters(envelope, &call->parameters, fault);
}

int wire_call_decode(const char *text, size_t size, struct wire_call *ret_call,
		     struct fault *fault)
{
	_cleanup_json_ json_object *envelope = NULL;
	struct wire_call call = { 0 };
	int r = json_parse_strict(text, size, &envelope, fault);

	if (r == 0)
		r = call_from_envelope(envelope, &call, fault);
	if (r < 0)
		return r;
	call.envelope = TAKE_PTR(envelope);
	*ret_call = call;
	return 0;
}

void wire_call_done(struct wire_call *call)
{
	json_object_put(call->envelope);
	*call = (struct wire_call) { 0 };
}

int wire_reply_decode(const char *text, size_t size, struct wire_reply *ret_reply,
		      struct fault *fault)
{
	_cleanup_json_ json_object *envelope = NULL;
	struct wire_reply reply = { 0 };
	const struct member members[] = {
		{ .key = "parameters", .object = &reply.parameters },
		{ .key = "continues", .boolean = &reply.continues },
		{ .key = "error", .string = &reply.error },
	};
	int r = json_parse_strict(text, size, &envelope, fault);

	if (r == 0)
		r = envelope_decode(envelope, members, sizeof(members) / sizeof(members[0]), fault);
	if (r == 0 && reply.error && reply.continues)
		r = fault_message(fault, 0, "an error that continues");
	if (r == 0)
		r = add_empty_parameters(envelope, &reply.parameters, fault);
	if (r < 0)
		return r;
	reply.envelope = TAKE_PTR(envelope);
	*ret_reply = reply;
	return 0;
}

void wire_reply_done(struct wire_reply *reply)
{
	json_object_put(reply->envelope);
	*reply = (struct wire_reply) { 0 };
}

/* ---- Encoding ---- */

/* `{HEAD"parameters":PARAMETERS TAIL}` and a NUL. `head` and `tail` bring their own commas. */
static int envelope_encode(const char *head, json_object *parameters, const char *tail,
			   char **ret_text, size_t *ret_size)
{
	static const char key[] = "\"parameters\":";
	size_t head_size = strlen(head), tail_size = strlen(tail), size;
	const char *text = "{}";
	size_t text_size = 2;
	char *out, *end;

	if (parameters)
		text = json_text(parameters, &text_size);
	if (!text)
		return -ENOMEM;
	size = 1 + head_size + strlen(key) + text_size + tail_size + 1;
	if (size > MESSAGE_SIZE_MAX)
		return -EMSGSIZE;
	out = malloc(size + 1);
	if (!out)
		return -ENOMEM;
	end = mempcpy(out, "{", 1);
	end = mempcpy(end, head, head_size);
	end = mempcpy(end, key, strlen(key));
	end = mempcpy(end, text, text_size);
	end = mempcpy(end, tail, tail_size);
	memcpy(end, "}", 2);
	*ret_text = out;
	*ret_size = size + 1;
	return 0;
}

/* `"KEY":"VALUE",` with the value escaped. */
static int encode_head(const char *key, const char *value, char **ret_head)
{
	_cleanup_json_ json_object *string = json_object_new_string(value);
	const char *text = string ? json_text(string, NULL) : NULL;

	if (!text || asprintf(ret_head, "\"%s\":%s,", key, text) < 0)
		return -ENOMEM;
	return 0;
}

int wire_call_encode(const char *method, json_object *parameters, unsigned flags, char **ret_text,
		     size_t *ret_size)
{
	static const char *const tails[] = {
		[0] = "",
		[WIRE_ONEWAY] = ",\"oneway\":true",
		[WIRE_MORE] = ",\"more\":true",
		[WIRE_UPGRADE] = ",\"upgrade\":true",
	};
	_cleanup_free_ char *head = NULL;

	if (flags >= sizeof(tails) / sizeof(tails[0]) || !tails[flags])
		return -EINVAL;
	return encode_head("method", method, &head) < 0
		       ? -ENOMEM
		       : envelope_encode(head, parameters, tails[flags], ret_text, ret_size);
}

int wire_reply_encode(json_object *parameters, bool continues, char **ret_text, size_t *ret_size)
{
	return envelope_encode("", parameters, continues ? ",\"continues\":true" : "", ret_text,
			       ret_size);
}

size_t wire_reply_close(char *text, size_t size, bool continues)
{
	const char *tail = continues ? ",\"continues\":true}" : "}";
	size_t tail_size = strlen(tail) + 1;

	memcpy(text + size, tail, tail_size);
	return size + tail_size;
}

int wire_error_encode(const struct fault *fault, char **ret_text, size_t *ret_size)
{
	_cleanup_json_ json_object *parameters = NULL;
	_cleanup_free_ char *head = NULL;
	const struct error_info *info = error_find(fault->code);
	int r;

	if (!info)
		return -EINVAL;
	r = fault_parameters(fault, &parameters);
	if (r == 0)
		r = encode_head("error", info->qualified_name, &head);
	return r < 0 ? r : envelope_encode(head, parameters, "", ret_text, ret_size);
}
