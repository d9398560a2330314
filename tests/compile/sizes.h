/* What the translation units of one program must agree on, whatever macros each of them sets. */
#define SIZES(name)                                                                                                   \
    const size_t name[] = { sizeof(tel_desc), sizeof(tel_attr), sizeof(tel_counter), sizeof(tel_histogram),           \
        sizeof(tel_context), sizeof(tel_span), sizeof(tel_span_desc), sizeof(tel_token), sizeof(tel_carrier),         \
        sizeof(tel_log_desc), sizeof(tel_point), sizeof(tel_metric_view), sizeof(tel_span_view), sizeof(tel_log_view), \
        sizeof(tel_batch), sizeof(tel_sink), sizeof(tel_otlp_desc), sizeof(tel_prometheus_desc), sizeof(tel_stats),   \
        sizeof(tel_sink_stats), sizeof(tel_span_scope), sizeof(tel_time_scope), sizeof(tel_attach_scope),       \
        sizeof(tel_timer), sizeof(tel_error), 0 }

#ifdef __cplusplus
extern "C" {
#endif
extern const size_t a_sizes[], b_sizes[], cpp_sizes[];
extern tel_counter shared_counter;      /* defined in b.c, used everywhere */
void a_work(void);
void b_work(void);
void cpp_work(void);
#ifdef __cplusplus
}
#endif
