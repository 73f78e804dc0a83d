/** One metric of this server, for the registry and for the documentation. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels?: readonly string[];
  /** Upper bounds of a histogram, seconds. */
  readonly buckets?: readonly number[];
}

const requestBuckets = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const syncBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/**
 * All metrics but those of the process. No label holds anything from outside: messages, results and kinds are from fixed
 * lists, users are those who have an account.
 */
export const METRICS = {
  info: {
    name: 'anki_sync_info',
    type: 'gauge',
    help: 'Always 1; the version of the server and of Node.',
    labels: ['version', 'node'],
  },
  ready: { name: 'anki_sync_ready', type: 'gauge', help: '1 when /ready answers 200, 0 when it answers 503.' },
  users: { name: 'anki_sync_users', type: 'gauge', help: 'Users who have an account.' },
  requests: {
    name: 'anki_sync_requests_total',
    type: 'counter',
    help: 'Requests by sync message (other: anything else) and HTTP status (0: the client was gone).',
    labels: ['message', 'status'],
  },
  requestSeconds: {
    name: 'anki_sync_request_seconds',
    type: 'histogram',
    help: 'Time from the head of a request to the end of its answer.',
    labels: ['message'],
    buckets: requestBuckets,
  },
  receivedBytes: { name: 'anki_sync_received_bytes_total', type: 'counter', help: 'Bytes of requests, as sent.' },
  sentBytes: { name: 'anki_sync_sent_bytes_total', type: 'counter', help: 'Bytes of answers, as sent.' },
  syncs: {
    name: 'anki_sync_syncs_total',
    type: 'counter',
    help: 'Syncs that are over, by kind (normal, upload, download, media) and result.',
    labels: ['kind', 'result'],
  },
  syncSeconds: {
    name: 'anki_sync_sync_seconds',
    type: 'histogram',
    help: 'Duration of syncs that were done, from their first message to their last.',
    labels: ['kind'],
    buckets: syncBuckets,
  },
  objects: {
    name: 'anki_sync_objects_total',
    type: 'counter',
    help: 'Objects that normal syncs stored (sent) or gave to devices (got), by type.',
    labels: ['direction', 'type'],
  },
  mediaFiles: {
    name: 'anki_sync_media_files_total',
    type: 'counter',
    help: 'Media files that devices sent, deleted or got.',
    labels: ['direction'],
  },
  logins: {
    name: 'anki_sync_logins_total',
    type: 'counter',
    help: 'Attempts to log in: accepted, wrong (name or password), throttled (too many before), failed (anything else).',
    labels: ['result'],
  },
  lastSync: {
    name: 'anki_sync_last_sync_timestamp_seconds',
    type: 'gauge',
    help: 'Last sync of the collection that was done, by user; after a start the time of the collection file.',
    labels: ['user'],
  },
  activeLanes: { name: 'anki_sync_active_lanes', type: 'gauge', help: 'Users of whom a message is being answered.' },
  waiting: {
    name: 'anki_sync_waiting_messages',
    type: 'gauge',
    help: 'Messages that wait for an earlier one of the same user.',
  },
  longest: {
    name: 'anki_sync_longest_message_seconds',
    type: 'gauge',
    help: 'How long the oldest message has taken that is being answered.',
  },
  openCollections: { name: 'anki_sync_open_collections', type: 'gauge', help: 'Collections that are open.' },
  openMedia: { name: 'anki_sync_open_media_indexes', type: 'gauge', help: 'Media indexes that are open.' },
  openSyncs: { name: 'anki_sync_open_syncs', type: 'gauge', help: 'Syncs between their start and their finish.' },
  threads: {
    name: 'anki_sync_collection_threads',
    type: 'gauge',
    help: 'Threads that own collections, by whether they answer.',
    labels: ['state'],
  },
  threadDeaths: { name: 'anki_sync_thread_deaths_total', type: 'counter', help: 'Threads that ended by an error.' },
  heavyRunning: {
    name: 'anki_sync_heavy_jobs_running',
    type: 'gauge',
    help: 'Work on whole files that runs or waits for a thread.',
  },
  heavySeconds: {
    name: 'anki_sync_heavy_job_seconds',
    type: 'histogram',
    help: 'Duration of work on whole files, with waiting for a thread, by job and result (done, failed).',
    labels: ['job', 'result'],
    buckets: syncBuckets,
  },
  logLines: {
    name: 'anki_sync_log_lines_total',
    type: 'counter',
    help: 'Lines for the log by level, also those that SYNC_LOG_LEVEL leaves out.',
    labels: ['level'],
  },
  diskFree: {
    name: 'anki_sync_disk_free_bytes',
    type: 'gauge',
    help: 'Free space on the disk of the data folder, for the account of the server.',
  },
  diskSize: { name: 'anki_sync_disk_size_bytes', type: 'gauge', help: 'Size of the disk of the data folder.' },
  collectionBytes: {
    name: 'anki_sync_collection_bytes',
    type: 'gauge',
    help: 'Size of the collection file, by user.',
    labels: ['user'],
  },
  mediaBytes: {
    name: 'anki_sync_media_bytes',
    type: 'gauge',
    help: 'Bytes of media files, by user.',
    labels: ['user'],
  },
  mediaStored: {
    name: 'anki_sync_media_files',
    type: 'gauge',
    help: 'Number of media files, by user.',
    labels: ['user'],
  },
  backups: { name: 'anki_sync_backups', type: 'gauge', help: 'Number of backups, by user.', labels: ['user'] },
  backupBytes: {
    name: 'anki_sync_backup_bytes',
    type: 'gauge',
    help: 'Bytes of all backups, by user.',
    labels: ['user'],
  },
  newestBackup: {
    name: 'anki_sync_newest_backup_timestamp_seconds',
    type: 'gauge',
    help: 'Time of the newest backup, by user; missing without one.',
    labels: ['user'],
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricKey = keyof typeof METRICS;

/** All of them, in order. */
export const METRIC_LIST: readonly MetricDefinition[] = Object.values(METRICS);
