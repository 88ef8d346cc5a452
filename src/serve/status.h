/* status - what the program says about itself: as JSON for people, as Prometheus text for monitoring. */
#pragma once

#include "serve/server.h"

json_t *sources_json(struct server *server); /* {"sources":[..]}; NULL: no memory */
json_t *status_json(struct server *server);
json_t *status_schema_json(void);            /* JSON Schema of that; NULL: no memory */
