/** Every text on the screens, Indonesian and English side by side. Office terms are kept where they matter, with a gloss. */

import type {
  AgencyCode,
  AssignmentStatus,
  Category,
  DeviceState,
  FeedChannel,
  IncidentStatus,
  OfficerStatus,
  Priority,
  Regency,
  RoadLevel,
} from './contract';
import type { Phrase } from './language.svelte';

type Named<Key extends string> = Record<Key, Phrase>;
/** Every leaf is a phrase in all languages. */
interface Texts {
  readonly [key: string]: Texts | Phrase | Phrase<never[]>;
}

export const category: Named<Category> = {
  traffic_jam: { id: 'Kemacetan', en: 'Traffic jam' },
  illegal_dumping: { id: 'Sampah liar', en: 'Illegal dumping' },
  road_damage: { id: 'Jalan rusak', en: 'Road damage' },
  flood: { id: 'Banjir', en: 'Flood' },
  street_light: { id: 'Lampu jalan', en: 'Street light' },
  public_wifi: { id: 'Wifi publik', en: 'Public wifi' },
  crowding: { id: 'Kerumunan', en: 'Crowding' },
  other: { id: 'Lainnya', en: 'Other' },
};

export const priority: Named<Priority> = {
  critical: { id: 'Kritis', en: 'Critical' },
  high: { id: 'Tinggi', en: 'High' },
  normal: { id: 'Biasa', en: 'Normal' },
  low: { id: 'Rendah', en: 'Low' },
};

export const incidentStatus: Named<IncidentStatus> = {
  new: { id: 'Menunggu', en: 'Waiting' },
  triage: { id: 'Menunggu verifikasi', en: 'Being verified' },
  routed: { id: 'Koordinasi', en: 'Coordination' },
  assigned: { id: 'Disposisi', en: 'Assigned' },
  in_progress: { id: 'Proses', en: 'In progress' },
  on_hold: { id: 'Ditunda', en: 'On hold' },
  resolved: { id: 'Selesai', en: 'Resolved' },
  closed: { id: 'Ditutup', en: 'Closed' },
  transferred: { id: 'Diteruskan', en: 'Handed over' },
  rejected: { id: 'Ditolak', en: 'Rejected' },
  merged: { id: 'Digabung', en: 'Merged' },
};

/** What each status means to the person who reported. */
export const statusMeaning: Named<IncidentStatus> = {
  new: { id: 'Laporan Anda sudah kami terima.', en: 'We have your report.' },
  triage: { id: 'Operator sedang memeriksa laporan Anda.', en: 'An operator is checking your report.' },
  routed: { id: 'Diteruskan ke dinas yang menangani.', en: 'Passed to the agency that handles it.' },
  assigned: { id: 'Petugas sudah ditunjuk (disposisi).', en: 'An officer has been named for it.' },
  in_progress: { id: 'Petugas sedang menanganinya.', en: 'An officer is working on it.' },
  on_hold: { id: 'Penanganan ditunda sementara.', en: 'Work on it is paused for now.' },
  resolved: { id: 'Petugas menyatakan sudah selesai.', en: 'The officer says it is done.' },
  closed: { id: 'Laporan ditutup. Terima kasih.', en: 'The report is closed. Thank you.' },
  transferred: {
    id: 'Bukan wewenang kami; sudah diserahkan kepada yang berwenang.',
    en: 'Not ours to handle; handed to those in charge.',
  },
  rejected: { id: 'Laporan tidak dapat ditindaklanjuti.', en: 'The report cannot be followed up.' },
  merged: { id: 'Digabung dengan laporan lain tentang hal yang sama.', en: 'Joined with other reports of the same.' },
};

export const assignmentStatus: Named<AssignmentStatus> = {
  offered: { id: 'Tugas baru', en: 'New task' },
  accepted: { id: 'Diterima', en: 'Accepted' },
  en_route: { id: 'Menuju lokasi', en: 'On the way' },
  on_scene: { id: 'Di lokasi', en: 'On scene' },
  completed: { id: 'Selesai', en: 'Completed' },
  declined: { id: 'Ditolak', en: 'Declined' },
  expired: { id: 'Lewat waktu', en: 'Expired' },
  released: { id: 'Dilepas', en: 'Released' },
};

export const officerStatus: Named<OfficerStatus> = {
  available: { id: 'Siaga', en: 'Available' },
  busy: { id: 'Bertugas', en: 'Busy' },
  on_break: { id: 'Istirahat', en: 'On break' },
  off_duty: { id: 'Lepas dinas', en: 'Off duty' },
};

export const roadLevel: Named<RoadLevel> = {
  free_flow: { id: 'Lancar', en: 'Free flow' },
  heavy: { id: 'Ramai', en: 'Heavy' },
  slow: { id: 'Lambat', en: 'Slow' },
  queuing: { id: 'Antre', en: 'Queuing' },
  stationary: { id: 'Berhenti', en: 'Stationary' },
  unknown: { id: 'Tidak diketahui', en: 'Unknown' },
};

export const deviceState: Named<DeviceState> = {
  up: { id: 'Hidup', en: 'Up' },
  suspect: { id: 'Diragukan', en: 'Suspect' },
  down: { id: 'Mati', en: 'Down' },
};

/** As the two governments say them in passing; the full names come from the server. */
export const agency: Named<AgencyCode> = {
  DISHUB: { id: 'Dishub', en: 'Dishub' },
  DLH: { id: 'DLH', en: 'DLH' },
  DBMSDA: { id: 'DBMSDA', en: 'DBMSDA' },
  BPBD: { id: 'BPBD', en: 'BPBD' },
  SATPOL_PP: { id: 'Satpol PP', en: 'Satpol PP' },
  PJU: { id: 'PJU', en: 'PJU' },
  DISKOMINFO: { id: 'Diskominfo', en: 'Diskominfo' },
  PLN: { id: 'PLN', en: 'PLN' },
  TOLL: { id: 'Jalan tol', en: 'Toll road' },
  OTHER_GOV: { id: 'Pemda lain', en: 'Other gov.' },
};

export const regency: Named<Regency> = {
  '32.75': { id: 'Kota', en: 'City' },
  '32.16': { id: 'Kab.', en: 'Regency' },
};

export const channel: Named<FeedChannel> = {
  incidents: { id: 'Kejadian', en: 'Incidents' },
  officers: { id: 'Petugas', en: 'Officers' },
  sensors: { id: 'Arus jalan', en: 'Road flow' },
  wifi_nodes: { id: 'Wifi publik', en: 'Public wifi' },
  kpis: { id: 'Angka kunci', en: 'Key figures' },
};

/** Key figures in the order in which the wall shows the first six; another one is shown under the name it has. */
export const kpi: Readonly<Record<string, Phrase>> = {
  open_incidents: { id: 'Kejadian terbuka', en: 'Open incidents' },
  overdue: { id: 'Terlambat', en: 'Overdue' },
  triage_waiting: { id: 'Menunggu verifikasi', en: 'To be verified' },
  reports_last_hour: { id: 'Laporan 1 jam', en: 'Reports, 1 h' },
  officers_available: { id: 'Petugas siaga', en: 'Officers available' },
  on_time_share: { id: 'Tepat waktu 7 hari', en: 'On time, 7 days' },
  median_first_look_s: { id: 'Tanggapan pertama', en: 'First look' },
  wifi_up_share: { id: 'Wifi menyala', en: 'Wifi up' },
};

export const common = {
  product: { id: 'Command Center Bekasi', en: 'Bekasi Command Center' },
  language: { id: 'Bahasa', en: 'Language' },
  loading: { id: 'Memuat…', en: 'Loading…' },
  retry: { id: 'Coba lagi', en: 'Try again' },
  cancel: { id: 'Batal', en: 'Cancel' },
  close: { id: 'Tutup', en: 'Close' },
  back: { id: 'Kembali', en: 'Back' },
  unknown: { id: 'Belum diketahui', en: 'Not known yet' },
  skip: { id: 'Langsung ke isi', en: 'Skip to content' },
  offline: {
    id: 'Tidak tersambung ke server. Periksa internet Anda.',
    en: 'No connection to the server. Check your internet.',
  },
  serverBusy: { id: 'Server sedang sibuk. Coba lagi sebentar lagi.', en: 'The server is busy. Try again shortly.' },
  serverTrouble: { id: 'Ada gangguan di server kami.', en: 'Something is wrong on our server.' },
  ago: { id: (span: string) => `${span} lalu`, en: (span: string) => `${span} ago` },
} satisfies Texts;

export const signIn = {
  title: { id: 'Masuk', en: 'Sign in' },
  username: { id: 'Nama pengguna', en: 'Username' },
  password: { id: 'Kata sandi', en: 'Password' },
  submit: { id: 'Masuk', en: 'Sign in' },
  out: { id: 'Keluar', en: 'Sign out' },
  wrong: { id: 'Nama pengguna atau kata sandi tidak cocok.', en: 'The username or password does not match.' },
  tooMany: { id: 'Terlalu banyak percobaan. Tunggu sebentar.', en: 'Too many attempts. Wait a moment.' },
  missing: { id: 'Isi nama pengguna dan kata sandi.', en: 'Fill in username and password.' },
  ended: { id: 'Sesi Anda berakhir. Silakan masuk lagi.', en: 'Your session has ended. Please sign in again.' },
} satisfies Texts;

export const citizen = {
  title: { id: 'Lapor', en: 'Report' },
  step: { id: (n: number) => `Langkah ${n} dari 3`, en: (n: number) => `Step ${n} of 3` },
  next: { id: 'Lanjut', en: 'Continue' },
  track: { id: 'Lacak', en: 'Track' },

  photoTitle: { id: 'Ada foto kejadiannya?', en: 'Do you have a photo?' },
  photoHint: {
    id: 'Satu foto sering cukup bagi petugas. Paling banyak 5.',
    en: 'One photo is often enough for an officer. Five at most.',
  },
  takePhoto: { id: 'Ambil foto', en: 'Take a photo' },
  choosePhoto: { id: 'Pilih foto', en: 'Choose photos' },
  removePhoto: { id: (n: number) => `Hapus foto ${n}`, en: (n: number) => `Remove photo ${n}` },
  photoNumber: { id: (n: number) => `Foto ${n}`, en: (n: number) => `Photo ${n}` },
  noPhoto: { id: 'Lanjut tanpa foto', en: 'Continue without a photo' },
  photoTooMany: { id: 'Paling banyak 5 foto; sisanya tidak ditambahkan.', en: 'Five photos at most; the rest were left out.' },
  photoTooLarge: {
    id: 'Satu foto lebih besar dari 10 MB dan tidak ditambahkan.',
    en: 'One photo is larger than 10 MB and was left out.',
  },
  photoWrongKind: {
    id: 'Hanya foto JPEG, PNG, WebP atau HEIC yang bisa dikirim.',
    en: 'Only JPEG, PNG, WebP or HEIC photos can be sent.',
  },
  photoUnreadable: {
    id: 'Ada foto yang tidak bisa dibaca. Hapus atau ganti fotonya.',
    en: 'A photo could not be read. Remove or replace it.',
  },

  placeTitle: { id: 'Di mana tempatnya?', en: 'Where is it?' },
  useDevice: { id: 'Pakai lokasi saya', en: 'Use my location' },
  locating: { id: 'Mencari lokasi…', en: 'Finding your location…' },
  located: {
    id: (metres: string) => `Lokasi Anda ditemukan, ketelitian ±${metres} m.`,
    en: (metres: string) => `Your location was found, to within ±${metres} m.`,
  },
  locateDenied: {
    id: 'Lokasi tidak diizinkan. Pilih di peta atau tulis alamatnya.',
    en: 'Location was not allowed. Pick it on the map or write the address.',
  },
  locateFailed: {
    id: 'Lokasi tidak ditemukan. Pilih di peta atau tulis alamatnya.',
    en: 'Your location was not found. Pick it on the map or write the address.',
  },
  pickOnMap: { id: 'Pilih di peta', en: 'Pick on the map' },
  mapLabel: {
    id: 'Peta. Geser hingga penanda di tengah berada di tempat kejadian.',
    en: 'Map. Move it until the mark in the middle is at the place.',
  },
  mapHint: { id: 'Geser peta ke tempat kejadian', en: 'Move the map to the place' },
  mapUse: { id: 'Pakai titik ini', en: 'Use this point' },
  mapFailed: { id: 'Peta tidak dapat dimuat. Tulis alamatnya saja.', en: 'The map could not be loaded. Write the address.' },
  picked: { id: 'Titik di peta sudah dipilih.', en: 'A point on the map is chosen.' },
  forgetPlace: { id: 'Hapus titik', en: 'Remove the point' },
  address: { id: 'Alamat atau patokan', en: 'Address or landmark' },
  addressHint: { id: 'Misalnya: depan Stasiun Bekasi, Jl. Juanda', en: 'For example: in front of Bekasi station, Jl. Juanda' },
  placeMissing: { id: 'Pilih titik atau tulis alamatnya dulu.', en: 'Pick a point or write the address first.' },
  placeRefused: { id: 'Tempatnya tidak bisa dibaca. Pilih lagi.', en: 'The place could not be read. Choose it again.' },

  textTitle: { id: 'Apa yang terjadi?', en: 'What is happening?' },
  textLabel: { id: 'Satu kalimat sudah cukup', en: 'One sentence is enough' },
  textHint: { id: 'Misalnya: macet total, truk mogok di tengah jalan', en: 'For example: gridlock, a truck broke down' },
  textMissing: { id: 'Tulis dulu apa yang terjadi.', en: 'Write what is happening first.' },
  textTooLong: { id: 'Paling banyak 4.000 huruf.', en: 'At most 4,000 characters.' },
  kind: { id: 'Jenis (boleh dilewati)', en: 'Kind (optional)' },
  contactAdd: { id: 'Tambah kontak (boleh dilewati)', en: 'Add contact (optional)' },
  contactEdit: { id: (who: string) => `Kontak: ${who}`, en: (who: string) => `Contact: ${who}` },
  contactTitle: { id: 'Kontak Anda', en: 'Your contact' },
  contactName: { id: 'Nama', en: 'Name' },
  contactPhone: { id: 'Nomor telepon', en: 'Phone number' },
  contactEmail: { id: 'Surel', en: 'E-mail' },
  contactAnonymous: { id: 'Jangan tampilkan nama saya ke petugas', en: 'Do not show my name to officers' },
  contactConsent: {
    id: 'Dengan menyimpan, Anda setuju kontak ini dipakai hanya untuk menangani laporan ini. Anda dapat meminta kami menghapusnya.',
    en: 'By saving, you agree that this contact is used only to handle this report. You can ask us to erase it.',
  },
  contactSave: { id: 'Simpan', en: 'Save' },
  contactRemove: { id: 'Hapus kontak', en: 'Remove contact' },
  phoneWrong: { id: 'Nomor telepon ini tampaknya salah.', en: 'This phone number looks wrong.' },
  emailWrong: { id: 'Alamat surel ini tampaknya salah.', en: 'This e-mail address looks wrong.' },

  emergency: { id: 'Ada yang terancam bahaya?', en: 'Is somebody in danger?' },
  emergencyCall: { id: 'Telepon 112 sekarang', en: 'Call 112 now' },

  send: { id: 'Kirim laporan', en: 'Send report' },
  sending: { id: 'Mengirim…', en: 'Sending…' },
  refused: { id: 'Belum terkirim: ada isian yang perlu diperbaiki.', en: 'Not sent yet: something needs correcting.' },
  busy: {
    id: 'Belum terkirim: sistem sedang sibuk. Isian Anda aman di halaman ini.',
    en: 'Not sent yet: the system is busy. What you entered is safe on this page.',
  },
  tooMany: {
    id: 'Belum terkirim: terlalu banyak laporan dari jaringan ini. Tunggu sebentar.',
    en: 'Not sent yet: too many reports from this network. Wait a moment.',
  },
  outcomeUnknown: {
    id: 'Belum pasti sampai: sambungan terputus. Kirim ulang saja; laporan tidak akan tercatat dua kali.',
    en: 'It may not have arrived: the connection broke. Just send it again; it will not be counted twice.',
  },
  conflict: {
    id: 'Laporan pertama sudah kami terima. Muat ulang halaman untuk membuat laporan baru.',
    en: 'Your first report has arrived. Reload the page to make a new one.',
  },
  sendAgain: { id: 'Kirim ulang', en: 'Send again' },
  sendAgainIn: { id: (s: number) => `Kirim ulang (${s} dtk)`, en: (s: number) => `Send again (${s} s)` },

  receiptTitle: { id: 'Laporan diterima', en: 'Report received' },
  receiptCode: { id: 'Kode lacak Anda', en: 'Your tracking code' },
  receiptKeep: {
    id: 'Simpan kode ini. Hanya dengan kode ini Anda bisa melihat perkembangannya.',
    en: 'Keep this code. It is the only way to see what happens with it.',
  },
  copy: { id: 'Salin kode', en: 'Copy code' },
  copied: { id: 'Tersalin', en: 'Copied' },
  share: { id: 'Bagikan', en: 'Share' },
  follow: { id: 'Lihat perkembangan', en: 'See what happens' },
  another: { id: 'Lapor hal lain', en: 'Report something else' },
} satisfies Texts;

export const track = {
  title: { id: 'Lacak laporan', en: 'Track a report' },
  code: { id: 'Kode lacak', en: 'Tracking code' },
  codeHint: { id: '20 huruf dan angka, ada di bukti laporan Anda', en: '20 letters and digits, on your receipt' },
  look: { id: 'Lihat', en: 'Look' },
  unknownTitle: { id: 'Kode tidak dikenal', en: 'Code not known' },
  unknownHint: {
    id: 'Periksa lagi huruf dan angkanya. Tanda hubung dan huruf besar-kecil tidak berpengaruh.',
    en: 'Check its letters and digits again. Hyphens and upper or lower case do not matter.',
  },
  tooMany: {
    id: 'Terlalu banyak kode yang dicoba. Tunggu sebentar.',
    en: 'Too many codes were tried. Wait a moment.',
  },
  processing: { id: 'Sedang diproses, biasanya beberapa detik.', en: 'Being processed, usually a few seconds.' },
  submitted: { id: 'Dikirim', en: 'Submitted' },
  due: { id: 'Target selesai', en: 'Due' },
  overdue: { id: 'lewat target', en: 'overdue' },
  agency: { id: 'Ditangani oleh', en: 'Handled by' },
  kecamatan: { id: 'Kecamatan', en: 'District (kecamatan)' },
  kind: { id: 'Jenis', en: 'Kind' },
  incident: { id: 'Nomor kejadian', en: 'Incident' },
  history: { id: 'Perjalanan laporan', en: 'What happened' },
  photos: { id: 'Foto Anda', en: 'Your photos' },
  photo: { id: (n: number) => `Foto laporan ${n}`, en: (n: number) => `Report photo ${n}` },
  updated: { id: (at: string) => `Diperbarui ${at}`, en: (at: string) => `Updated ${at}` },
  notUpdated: {
    id: (at: string) => `Belum bisa diperbarui sejak ${at}. Kami mencoba terus.`,
    en: (at: string) => `Could not be updated since ${at}. We keep trying.`,
  },
  failed: {
    id: 'Laporan belum bisa dimuat. Laporan Anda tidak hilang; kami mencoba lagi.',
    en: 'The report could not be loaded. It is not lost; we are trying again.',
  },
  newReport: { id: 'Buat laporan baru', en: 'Make a new report' },
} satisfies Texts;

export const wall = {
  title: { id: 'Dinding pantau', en: 'Wall display' },
  publicView: { id: 'Tampilan publik', en: 'Public view' },
  publicHint: {
    id: 'Tanpa masuk: kejadian tanpa prioritas, petugas, dan tenggat; titik dibulatkan 100 m.',
    en: 'Without signing in: no priorities, officers or due times; places rounded to 100 m.',
  },
  map: { id: 'Peta kejadian di Bekasi', en: 'Map of incidents in Bekasi' },
  mapFailed: { id: 'Peta tidak dapat ditampilkan di perangkat ini.', en: 'The map cannot be shown on this device.' },
  urgent: { id: 'Paling mendesak', en: 'Most urgent' },
  ongoing: { id: 'Paling banyak dilaporkan', en: 'Most reported' },
  newest: { id: 'Terbaru', en: 'Newest' },
  agencies: { id: 'Beban per dinas', en: 'Load by agency' },
  figures: { id: 'Angka kunci', en: 'Key figures' },
  layers: { id: 'Lapisan peta', en: 'Map layers' },
  noUrgent: { id: 'Tidak ada kejadian yang mendesak.', en: 'Nothing urgent.' },
  noNewest: { id: 'Belum ada kejadian.', en: 'No incidents yet.' },
  noAgencies: { id: 'Belum ada kejadian yang dibagi ke dinas.', en: 'No incident has gone to an agency yet.' },
  connecting: { id: 'Menyambung…', en: 'Connecting…' },
  current: { id: 'Langsung', en: 'Live' },
  delayed: { id: 'Data tertunda', en: 'Delayed' },
  disconnected: { id: 'Terputus', en: 'Disconnected' },
  delayedWhat: { id: (what: string) => `Data tertunda: ${what}`, en: (what: string) => `Delayed: ${what}` },
  dataAge: { id: (span: string) => `data ${span} lalu`, en: (span: string) => `data ${span} old` },
  noData: { id: 'belum ada data', en: 'no data yet' },
  latency: { id: 'Laporan → layar', en: 'Report → wall' },
  latencyHint: {
    id: (n: string) => `median ${n} laporan terakhir`,
    en: (n: string) => `median of the last ${n}`,
  },
  reports: { id: (n: string) => `${n} laporan`, en: (n: string) => `${n} reports` },
  overdue: { id: 'terlambat', en: 'overdue' },
  overdueBy: { id: (span: string) => `lewat ${span}`, en: (span: string) => `${span} over` },
  dueIn: { id: (span: string) => `sisa ${span}`, en: (span: string) => `${span} left` },
  open: { id: (n: string) => `${n} terbuka`, en: (n: string) => `${n} open` },
  waiting: { id: 'menunggu', en: 'waiting' },
  inHand: { id: 'ditangani', en: 'in hand' },
  unregistered: { id: 'tanpa dinas', en: 'no agency' },
  zoomIn: { id: 'Perbesar', en: 'Zoom in' },
  zoomOut: { id: 'Perkecil', en: 'Zoom out' },
  zoomHome: { id: 'Seluruh Bekasi', en: 'All of Bekasi' },
  approximate: { id: 'batas kecamatan kira-kira', en: 'kecamatan borders approximate' },
} satisfies Texts;

export const officer = {
  title: { id: 'Tugas saya', en: 'My tasks' },
  presence: { id: 'Status saya', en: 'My status' },
  accept: { id: 'Terima tugas', en: 'Accept task' },
  decline: { id: 'Tolak', en: 'Decline' },
  depart: { id: 'Berangkat', en: 'Depart' },
  arrive: { id: 'Sudah di lokasi', en: 'I am there' },
  complete: { id: 'Selesaikan', en: 'Complete' },
  declineTitle: { id: 'Mengapa ditolak?', en: 'Why decline?' },
  reason: { id: 'Alasan', en: 'Reason' },
  reasons: { id: 'Alasan yang sering', en: 'Common reasons' },
  reasonFar: { id: 'Terlalu jauh', en: 'Too far away' },
  reasonBusy: { id: 'Masih menangani tugas lain', en: 'Still on another task' },
  reasonVehicle: { id: 'Kendaraan bermasalah', en: 'Vehicle trouble' },
  reasonMissing: { id: 'Tulis atau pilih alasannya.', en: 'Write or choose a reason.' },
  completeTitle: { id: 'Apa yang sudah dikerjakan?', en: 'What was done?' },
  note: { id: 'Catatan', en: 'Note' },
  noteMissing: { id: 'Tulis catatan singkat.', en: 'Write a short note.' },
  photo: { id: 'Foto bukti (boleh dilewati)', en: 'Photo as proof (optional)' },
  photoChosen: { id: (name: string) => `Foto: ${name}`, en: (name: string) => `Photo: ${name}` },
  photoRefused: { id: 'Foto tidak bisa dibaca. Coba foto lain.', en: 'The photo could not be read. Try another.' },
  sending: { id: 'Mengirim…', en: 'Sending…' },
  empty: { id: 'Tidak ada tugas untuk Anda saat ini.', en: 'There are no tasks for you right now.' },
  emptyHint: { id: 'Tugas baru muncul di sini dengan sendirinya.', en: 'New tasks appear here by themselves.' },
  setAvailable: { id: 'Ubah status menjadi Siaga untuk menerima tugas.', en: 'Set your status to Available to get tasks.' },
  changed: {
    id: 'Tugas ini sudah berubah. Daftar dimuat ulang; periksa lagi.',
    en: 'This task has changed. The list was reloaded; check again.',
  },
  notSent: {
    id: 'Belum pasti tersimpan: tidak ada sambungan. Tekan lagi; tidak akan tercatat dua kali.',
    en: 'It may not be saved: no connection. Press again; it will not be counted twice.',
  },
  busy: { id: 'Belum tersimpan: server sedang sibuk. Tekan lagi.', en: 'Not saved: the server is busy. Press again.' },
  refused: { id: 'Belum tersimpan.', en: 'Not saved.' },
  atWork: {
    id: 'Selesaikan atau kembalikan dulu tugas yang sudah diterima.',
    en: 'First complete or hand back what you have accepted.',
  },
  notAllowed: { id: 'Akun ini tidak punya tugas lapangan.', en: 'This account has no field tasks.' },
  listOld: {
    id: (at: string) => `Daftar dari ${at}; belum bisa diperbarui.`,
    en: (at: string) => `The list is from ${at}; it could not be updated.`,
  },
  answerBy: { id: (at: string) => `Jawab sebelum ${at}`, en: (at: string) => `Answer by ${at}` },
  dueBy: { id: (at: string) => `Selesaikan sebelum ${at}`, en: (at: string) => `Complete by ${at}` },
  route: { id: 'Buka di peta', en: 'Open in maps' },
  shareWhere: { id: 'Sertakan lokasi saya di setiap langkah', en: 'Send my location with each step' },
  whereOff: { id: 'Lokasi tidak diizinkan di perangkat ini.', en: 'Location is not allowed on this device.' },
  said: { id: 'Kata pelapor', en: 'What was reported' },
  photos: { id: (n: number) => `Foto pelapor ${n}`, en: (n: number) => `Reporter’s photo ${n}` },
} satisfies Texts;
