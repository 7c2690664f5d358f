/** The public contract as types: words, rows of the feed, frames, and HTTP bodies. One file, so that it can be generated. */

export type Timestamp = string;

export type Category =
  | 'traffic_jam' | 'illegal_dumping' | 'road_damage' | 'flood'
  | 'street_light' | 'public_wifi' | 'crowding' | 'other';
export type Regency = '32.75' | '32.16';
export type AgencyCode =
  | 'DISHUB' | 'DLH' | 'DBMSDA' | 'BPBD' | 'SATPOL_PP' | 'PJU' | 'DISKOMINFO' | 'PLN' | 'TOLL' | 'OTHER_GOV';
export type Priority = 'low' | 'normal' | 'high' | 'critical';
export type IncidentStatus =
  | 'new' | 'triage' | 'routed' | 'assigned' | 'in_progress' | 'on_hold'
  | 'resolved' | 'closed' | 'transferred' | 'rejected' | 'merged';
export type AssignmentStatus =
  | 'offered' | 'accepted' | 'en_route' | 'on_scene' | 'completed' | 'declined' | 'expired' | 'released';
export type OfficerStatus = 'off_duty' | 'available' | 'on_break' | 'busy';
export type Role =
  | 'agent' | 'operator' | 'supervisor' | 'dispatcher' | 'officer' | 'area_head' | 'executive' | 'admin';
export type ReportChannel = 'app' | 'web' | 'call_center' | 'poc' | 'whatsapp' | 'open311';
export type FeedChannel = 'incidents' | 'officers' | 'sensors' | 'wifi_nodes' | 'kpis';
export type RoadLevel = 'free_flow' | 'heavy' | 'slow' | 'queuing' | 'stationary' | 'unknown';
export type DeviceState = 'up' | 'suspect' | 'down';

// ---- rows of the feed ----

export interface IncidentOfficer {
  id: string;
  name: string;
  status: AssignmentStatus;
}

export interface PublicIncidentRow {
  id: string;
  version: number;
  category: Category;
  title: string;
  status: IncidentStatus;
  agency: AgencyCode | null;
  regency: Regency | null;
  kecamatan: string | null;
  lat: number | null;
  lon: number | null;
  opened_at: Timestamp;
  updated_at: Timestamp;
  report_count: number;
}

export interface IncidentRow extends PublicIncidentRow {
  priority: Priority;
  kelurahan: string | null;
  address: string | null;
  received_at: Timestamp;
  due_at: Timestamp | null;
  sources: string[];
  confidence: number;
  officers: IncidentOfficer[];
  photo_url: string | null;
}

export interface OfficerRow {
  id: string;
  name: string;
  agency: AgencyCode;
  regency: Regency;
  status: OfficerStatus;
  lat: number | null;
  lon: number | null;
  position_at: Timestamp | null;
  assignment_id: string | null;
}

export interface SensorRow {
  id: string;
  lat: number | null;
  lon: number | null;
  segment: string | null;
  level: RoadLevel;
  speed_kmh: number | null;
  observed_at: Timestamp;
  state: DeviceState;
}

export interface WifiNodeRow {
  id: string;
  lat: number | null;
  lon: number | null;
  state: DeviceState;
  clients: number | null;
  uplink: string | null;
  observed_at: Timestamp;
}

export interface KpiRow {
  name: string;
  value: number | null;
  unit: string;
  at: Timestamp;
}

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
}

export interface Reporter {
  name?: string;
  phone?: string;
  email?: string;
  anonymous?: boolean;
}

export interface ReportDraft {
  description: string;
  category?: Category;
  lat?: number;
  lon?: number;
  address?: string;
  observed_at?: Timestamp;
  channel: ReportChannel;
  reporter?: Reporter;
}

export interface ReportReceipt {
  report_id: string;
  tracking_code: string;
  status_url: string;
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
  submitted_at: Timestamp;
  due_at: Timestamp | null;
  history: ReportHistoryEntry[];
  photos: string[];
  can_reopen: boolean;
}

export interface AgencyRef {
  regency: Regency;
  agency: AgencyCode;
}

export interface User {
  username: string;
  display_name: string;
  role: Role;
  agencies: AgencyRef[];
  kecamatan: string | null;
}

export interface AssignmentRow {
  id: string;
  version: number;
  incident_id: string;
  officer: string;
  officer_name: string;
  agency: AgencyCode;
  regency: Regency;
  status: AssignmentStatus;
  offered_at: Timestamp;
  updated_at: Timestamp;
  answer_due_at: Timestamp | null;
  accepted_at: Timestamp | null;
  on_scene_at: Timestamp | null;
  completed_at: Timestamp | null;
  note: string | null;
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
