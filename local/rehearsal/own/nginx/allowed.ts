/**
 * Directives of nginx.conf that a rehearsal keeps or does without; all others are refused. Source: the modules' documentation,
 * up to nginx 1.29. Kept is what makes no connection, starts nothing and writes no file, whatever its arguments are.
 */

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/))
}

/** Outside of any block: the copy has its own of what is left out. */
export const MAIN_LEFT =
  words(`user worker_processes pid error_log daemon master_process worker_rlimit_nofile worker_rlimit_core
  worker_cpu_affinity worker_priority working_directory lock_file env load_module debug_points events stream mail`)
export const MAIN_KEPT = words('pcre_jit thread_pool timer_resolution worker_shutdown_timeout')

/** Blocks whose lines are no directives. */
export const TABLES = words('map types geo split_clients charset_map')
/** Blocks of directives. */
export const BLOCKS = words('location if limit_except')

/** In http{} and all that is in it. */
export const KEPT =
  words(`absolute_redirect add_header add_header_inherit add_trailer alias allow deny auth_basic auth_basic_user_file
  auth_delay auth_request auth_request_set autoindex autoindex_exact_size autoindex_format autoindex_localtime break charset
  charset_types override_charset source_charset chunked_transfer_encoding client_body_buffer_size
  client_body_in_single_buffer client_body_timeout client_header_buffer_size client_header_timeout client_max_body_size
  connection_pool_size default_type directio directio_alignment disable_symlinks empty_gif error_page etag expires
  gunzip gunzip_buffers gzip gzip_buffers gzip_comp_level gzip_disable gzip_http_version gzip_min_length gzip_proxied gzip_static
  gzip_types gzip_vary http2 http2_body_preread_size http2_chunk_size http2_idle_timeout http2_max_concurrent_pushes
  http2_max_concurrent_streams http2_max_field_size http2_max_header_size http2_max_requests http2_push http2_push_preload
  http2_recv_buffer_size http2_recv_timeout if_modified_since ignore_invalid_headers index internal keepalive_disable
  keepalive_min_timeout keepalive_requests keepalive_time keepalive_timeout large_client_header_buffers limit_conn
  limit_conn_dry_run limit_conn_log_level limit_conn_status limit_conn_zone limit_rate limit_rate_after limit_req
  limit_req_dry_run limit_req_log_level limit_req_status limit_req_zone lingering_close lingering_time lingering_timeout
  log_format log_not_found log_subrequest map_hash_bucket_size map_hash_max_size max_ranges merge_slashes mirror
  mirror_request_body msie_padding msie_refresh open_file_cache open_file_cache_errors open_file_cache_min_uses
  open_file_cache_valid output_buffers port_in_redirect postpone_output proxy_buffer_size proxy_buffering proxy_buffers
  proxy_busy_buffers_size proxy_connect_timeout proxy_cookie_domain proxy_cookie_flags proxy_cookie_path
  proxy_force_ranges proxy_headers_hash_bucket_size proxy_headers_hash_max_size proxy_hide_header proxy_http_version
  proxy_ignore_client_abort proxy_ignore_headers proxy_intercept_errors proxy_limit_rate proxy_max_temp_file_size
  proxy_method proxy_next_upstream proxy_next_upstream_timeout proxy_next_upstream_tries proxy_pass_header
  proxy_pass_request_body proxy_pass_request_headers proxy_pass_trailers proxy_read_timeout proxy_redirect
  proxy_request_buffering proxy_send_lowat proxy_send_timeout proxy_set_body proxy_set_header proxy_socket_keepalive
  proxy_temp_file_write_size random_index read_ahead real_ip_header real_ip_recursive recursive_error_pages
  referer_hash_bucket_size referer_hash_max_size request_pool_size reset_timedout_connection return rewrite rewrite_log root
  satisfy send_lowat send_timeout sendfile sendfile_max_chunk server_name server_name_in_redirect
  server_names_hash_bucket_size server_names_hash_max_size server_tokens set slice ssl_buffer_size ssl_ciphers
  ssl_conf_command ssl_early_data ssl_ecdh_curve ssl_prefer_server_ciphers ssl_protocols ssl_reject_handshake
  ssl_session_cache ssl_session_tickets ssl_verify_client ssl_verify_depth stub_status sub_filter sub_filter_last_modified
  sub_filter_once sub_filter_types subrequest_output_buffer_size tcp_nodelay tcp_nopush try_files types_hash_bucket_size
  types_hash_max_size underscores_in_headers uninitialized_variable_warn userid userid_domain userid_expires userid_name
  userid_path userid_service valid_referers variables_hash_bucket_size variables_hash_max_size`)

const LEFT =
  words(`access_log error_log open_log_file_cache resolver resolver_timeout upstream ssl_stapling ssl_stapling_file
  ssl_stapling_responder ssl_stapling_verify ssl_ocsp ssl_ocsp_cache ssl_ocsp_responder http3 http3_hq
  http3_max_concurrent_streams http3_stream_buffer_size quic_retry quic_gso quic_host_key quic_bpf
  quic_active_connection_id_limit client_body_temp_path client_body_in_file_only aio aio_write proxy_temp_path proxy_bind
  proxy_store proxy_store_access`)
/** Of what backends are spoken to in other ways, and of what is kept of their answers on disk. */
const LEFT_BEFORE = /^(?:proxy_(?:cache|ssl|no_cache)|fastcgi_|uwsgi_|scgi_|grpc_|memcached_)/

export function isLeft(directive: string): boolean {
  return LEFT.has(directive) || LEFT_BEFORE.test(directive)
}

/** Each becomes the server that answers here. */
export const PASSES = words('proxy_pass fastcgi_pass uwsgi_pass scgi_pass grpc_pass memcached_pass')

export const WHY: readonly (readonly [RegExp, string])[] = [
  [/_by_lua|^lua_|^init_/, 'runs code that may connect anywhere'],
  [/^js_|^perl/, 'runs code that may connect anywhere'],
  [/^dav_|^create_full_put_path/, 'writes files'],
  [/^ssl$/, 'put ssl on its listen lines instead'],
]
