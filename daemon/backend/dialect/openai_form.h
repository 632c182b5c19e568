/* Messages, tools and errors as OpenAI's chat completions have them, which other dialects took over. */
#pragma once

#include "daemon/backend/call.h"
#include "daemon/backend/dialect/refusal.h"
#include "daemon/backend/wire/buffer.h"

/* The member `messages`, all of the call's with the system message before them. */
void openai_put_messages(const struct llm_call *call, struct buffer *body);
void openai_put_message_list(const struct llm_call *call, struct buffer *body); // its value alone
/* An element of `tools`. */
void openai_put_tool(const struct ellu_tool *tool, struct buffer *body);

/* What an error says (openai_refusal.c), as a dialect's `refusal`. */
void openai_refusal(struct json_value *json, struct refusal *refusal);
