/*
 * exposition - the text a scrape answers: Prometheus 0.0.4 and OpenMetrics 1.0.
 *
 * settings: JSON {"honor_labels": bool, "honor_timestamps": bool (default true), "openmetrics": bool}; without the last,
 * a final "# EOF" line says that it is OpenMetrics, whose timestamps are seconds instead of milliseconds. batch->labels (job, instance)
 * are added; a scraped label of the same name is renamed exported_*, or wins with honor_labels. TYPE, HELP and UNIT
 * become metas; exemplars are skipped. With "stale": true every value becomes the stale marker, which the text itself
 * cannot say: so a scrape source ends the series that were there before and are not any more. One bad line fails the whole scrape, as in Prometheus, and the error names it.
 */
#pragma once

#include "wire/decode.h"

decode_fn exposition_decode;
