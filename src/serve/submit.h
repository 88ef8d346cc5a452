/* submit - telemetry that senders POST: the paths of observe/sources.def. */
#pragma once

#include "serve/http.h"

/* Answers after the journal's commit: until then the request is held and costs no thread. */
request_fn submit;
