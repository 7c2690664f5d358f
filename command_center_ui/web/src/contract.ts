/** The public contract as types: words and rows are generated, the feed's frames and HTTP answers are written here. */

import type {
  AgencyCode,
  AgencyRef,
  AssignmentRow,
  Category,
  IncidentRow,
  IncidentStatus,
  ReportChannel,
  Role,
  Timestamp,
} from './contract.generated';

export type * from './contract.generated';

// ---- the feed's frames, as they arrive ----

export interface StateEntry {
  key: string;
  data: unknown;
}

export interface Publication {
  offset: number;
  key: string;
  tags?: Record<string, string>;
  data?: unknown;
  removed?: boolean;
}

export interface ChannelPush {
  channel: string;
  epoch: string;
  since: number;
  offset: number;
  at: Timestamp;
  as_of?: Timestamp | null;
  pubs: Publication[];
}

export interface StatePush {
  channel: string;
  epoch: string;
  state: StateEntry[];
  more: boolean;
}

export interface DisconnectPush {
  disconnect: { code: number; reason: string; reconnect_after_ms?: number };
}

export interface SubscribeReply {
  epoch: string;
  offset: number;
  recovered: boolean;
  publications?: Publication[];
  state?: StateEntry[];
  more?: boolean;
}

export interface ServerFrame {
  id?: number;
  connect?: { client: string; ping: number; ttl: number };
  subscribe?: SubscribeReply;
  refresh?: { ttl: number };
  error?: { code: string; message: string };
  push?: ChannelPush | StatePush | DisconnectPush;
}

// ---- HTTP ----

export interface FieldError {
  field: string;
  message: string;
}

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail?: string;
  errors?: FieldError[];
  current_version?: number;
  legal?: string[];
}

export interface MapConfig {
  base_url: string;
}

export interface Config {
  feed_url: string;
  locale: string;
  map: MapConfig;
  version: string;
  /** Nothing here is real: it is a city to practise in. */
  training: boolean;
}

export interface ReportHistoryEntry {
  status: IncidentStatus;
  at: Timestamp;
  note: string | null;
}

export interface ReportStatus {
  tracking_code: string;
  status: IncidentStatus;
  status_label: string;
  processing: boolean;
  category: Category | null;
  agency: { code: AgencyCode; name: string } | null;
  kecamatan: { code: string; name: string } | null;
  incident_id: string | null;
  /** Null until the dispatcher has it. */
  submitted_at: Timestamp | null;
  due_at: Timestamp | null;
  history: ReportHistoryEntry[];
  photos: string[];
  can_reopen: boolean;
}

export interface User {
  username: string;
  display_name: string;
  role: Role;
  agencies: AgencyRef[];
  kecamatan: string | null;
}

/** An assignment with the incident it is about, and the verbs that its status allows. */
export interface AssignmentDetail extends AssignmentRow {
  incident: IncidentRow;
  legal: string[];
}

export interface ReportOfIncident {
  report_id: string;
  tracking_code: string | null;
  description: string | null;
  submitted_at: Timestamp;
  channel: ReportChannel;
  photos: string[];
}

/** Of an incident's whole story, what our pages read. */
export interface IncidentDetail extends IncidentRow {
  reports: ReportOfIncident[];
}

export interface PhotoKept {
  photo_id: string;
}

export interface SessionOpened {
  token: string;
  user: User;
}

export interface FeedTicket {
  ticket: string;
  expires_at: Timestamp;
}

export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}
