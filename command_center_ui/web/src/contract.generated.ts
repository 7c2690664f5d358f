/** Generated from `schemas/` by `python -m infra.generate`; a test fails when it is stale. */

export type Timestamp = string;

export interface AgencyRef {
  regency: Regency;
  agency: AgencyCode;
}

export type Regency = '32.16' | '32.75';

export type AgencyCode = 'BPBD' | 'DBMSDA' | 'DISHUB' | 'DISKOMINFO' | 'DLH' | 'OTHER_GOV' | 'PJU' | 'PLN' | 'SATPOL_PP' | 'TOLL';

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

export type AssignmentStatus = 'accepted' | 'completed' | 'declined' | 'en_route' | 'expired' | 'offered' | 'on_scene' | 'released';

export type FeedChannel = 'incidents' | 'kpis' | 'officers' | 'sensors' | 'wifi_nodes';

export interface IncidentRow {
  id: string;
  version: number;
  category: Category;
  title: string;
  status: IncidentStatus;
  priority: Priority;
  agency: AgencyCode | null;
  regency: Regency | null;
  kecamatan: string | null;
  kelurahan: string | null;
  lat: number | null;
  lon: number | null;
  address: string | null;
  opened_at: Timestamp;
  updated_at: Timestamp;
  received_at: Timestamp;
  due_at: Timestamp | null;
  report_count: number;
  sources: string[];
  confidence: number;
  officers: IncidentOfficer[];
  photo_url: string | null;
}

export type Category = 'crowding' | 'flood' | 'illegal_dumping' | 'other' | 'public_wifi' | 'road_damage' | 'street_light' | 'traffic_jam';

export type IncidentStatus = 'assigned' | 'closed' | 'in_progress' | 'merged' | 'new' | 'on_hold' | 'rejected' | 'resolved' | 'routed' | 'transferred' | 'triage';

export type Priority = 'critical' | 'high' | 'low' | 'normal';

export interface IncidentOfficer {
  id: string;
  name: string;
  status: AssignmentStatus;
}

export interface KpiRow {
  name: string;
  value: number | null;
  unit: string;
  at: Timestamp;
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

export type OfficerStatus = 'available' | 'busy' | 'off_duty' | 'on_break';

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

export interface ReportDraft {
  description: string;
  category?: Category | null;
  lat?: number | null;
  lon?: number | null;
  address?: string | null;
  observed_at?: Timestamp | null;
  channel?: ReportChannel;
  reporter?: Reporter | null;
}

export type ReportChannel = 'app' | 'call_center' | 'open311' | 'poc' | 'web' | 'whatsapp';

export interface Reporter {
  name?: string | null;
  phone?: string | null;
  email?: string | null;
  anonymous?: boolean;
  consent?: string | null;
}

export interface ReportReceipt {
  report_id: string;
  tracking_code: string;
  status_url: string;
}

export type Role = 'admin' | 'agent' | 'area_head' | 'dispatcher' | 'executive' | 'officer' | 'operator' | 'supervisor';

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

export type RoadLevel = 'free_flow' | 'heavy' | 'queuing' | 'slow' | 'stationary' | 'unknown';

export type DeviceState = 'down' | 'suspect' | 'up';

export interface WifiNodeRow {
  id: string;
  lat: number | null;
  lon: number | null;
  state: DeviceState;
  clients: number | null;
  uplink: string | null;
  observed_at: Timestamp;
}
