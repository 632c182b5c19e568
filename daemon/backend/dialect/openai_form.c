#include "daemon/backend/dialect/openai_form.h"

#include "daemon/backend/dialect/media.h"
#include "daemon/backend/dialect/request.h"

static void put_tool_calls(const struct ellu_message *message, struct buffer *body)
{
	buffer_text(body, ",\"tool_calls\":[");
	for (size_t i = 0; i < message->n_tool_calls; i++) {
		const struct ellu_tool_call *tool_call = message->tool_calls[i];

		buffer_text(body, i == 0 ? "{\"id\":" : ",{\"id\":");
		buffer_json(body, tool_call->id);
		buffer_text(body, ",\"type\":\"function\",\"function\":{\"name\":");
		buffer_json(body, tool_call->name);
		buffer_text(body, ",\"arguments\":");
		buffer_json(body, tool_call->arguments);
		buffer_text(body, "}}");
	}
	buffer_text(body, "]");
}

/* Documents by URL are Mistral's. */
static void put_part(const struct ellu_message_part *part, struct buffer *body)
{
	const struct ellu_media *media = part->image ? part->image : part->document;

	if (part->text) {
		buffer_text(body, "{\"type\":\"text\",\"text\":");
		buffer_json(body, part->text);
	} else if (part->image) {
		buffer_text(body, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
		media_put_url(media, body);
		buffer_text(body, "}");
	} else if (media->url) {
		buffer_text(body, "{\"type\":\"document_url\",\"document_url\":");
		buffer_json(body, media->url);
		if (media->name)
			media_put("document_name", media->name, body);
	} else {
		buffer_text(body, "{\"type\":\"file\",\"file\":{\"file_data\":");
		media_put_url(media, body);
		media_put("filename", media->name ? media->name : "document", body);
		buffer_text(body, "}");
	}
	buffer_text(body, "}");
}

static void put_message(const struct ellu_message *message, struct buffer *body)
{
	buffer_text(body, "{\"role\":");
	buffer_json(body, message->role);
	buffer_text(body, ",\"content\":");
	if (message->parts) {
		for (size_t i = 0; i < message->n_parts; i++) {
			buffer_text(body, i == 0 ? "[" : ",");
			put_part(message->parts[i], body);
		}
		buffer_text(body, message->n_parts == 0 ? "[]" : "]");
	} else if (message->content) {
		buffer_json(body, message->content);
	} else {
		buffer_text(body, "null");
	}
	if (message->tool_calls && message->n_tool_calls > 0)
		put_tool_calls(message, body);
	if (message->tool_call_id) {
		buffer_text(body, ",\"tool_call_id\":");
		buffer_json(body, message->tool_call_id);
	}
	if (message->name) {
		buffer_text(body, ",\"name\":");
		buffer_json(body, message->name);
	}
	buffer_text(body, "}");
}

void openai_put_message_list(const struct llm_call *call, struct buffer *body)
{
	const char *system_message = request_system(call);

	buffer_text(body, "[");
	if (system_message) {
		buffer_text(body, "{\"role\":\"system\",\"content\":");
		buffer_json(body, system_message);
		buffer_text(body, call->n_messages > 0 ? "}," : "}");
	}
	for (size_t i = 0; i < call->n_messages; i++) {
		if (i > 0)
			buffer_text(body, ",");
		put_message(call->messages[i], body);
	}
	buffer_text(body, "]");
}

void openai_put_messages(const struct llm_call *call, struct buffer *body)
{
	buffer_member(body, "messages");
	openai_put_message_list(call, body);
}

void openai_put_tool(const struct ellu_tool *tool, struct buffer *body)
{
	buffer_text(body, "{\"type\":\"function\",\"function\":{\"name\":");
	buffer_json(body, tool->name);
	if (tool->description) {
		buffer_text(body, ",\"description\":");
		buffer_json(body, tool->description);
	}
	if (tool->parameters) {
		buffer_text(body, ",\"parameters\":");
		buffer_text(body, tool->parameters);
	}
	buffer_text(body, "}}");
}
