/* The SDK's requests as ours: pure, JSON to JSON. NULL with a fault, or with a maker that has failed. */
#pragma once

#include "daemon/front/http/json_maker.h"
#include "proto/fault/fault.h"

json_object *our_prompt_template(struct json_maker *maker, json_object *given, struct fault *fault);
json_object *our_collection(struct json_maker *maker, json_object *given, struct fault *fault);
/* A number as money has it; what is none is left to be refused. */
void put_price(struct json_maker *maker, json_object *to, const char *name, json_object *given,
	       const char *theirs);
json_object *our_criteria(struct json_maker *maker, json_object *given);
json_object *our_llm_config(struct json_maker *maker, json_object *given, struct fault *fault);
json_object *our_generation_params(struct json_maker *maker, json_object *given);
/* An answer that was made elsewhere, of AddResponses. */
json_object *our_response(struct json_maker *maker, json_object *given, const char *path,
			  struct fault *fault);
