-- What makes desk work quicker: texts that are said often, and filters that are looked through often.

CREATE TABLE standard_text (
    id         text PRIMARY KEY,
    version    int NOT NULL,
    name       text NOT NULL,
    verb       text,
    category   text,
    language   text NOT NULL CHECK (language IN ('id', 'en')),
    body       text NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE standard_text IS
    'dispatcher/desk/standard_text_store.py. verb and category null: for any';

CREATE TABLE saved_filter (
    id         text PRIMARY KEY,
    owner      text NOT NULL REFERENCES account ON DELETE CASCADE,
    name       text NOT NULL,
    filter     jsonb NOT NULL,
    shared     boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX saved_filter_owner ON saved_filter (owner);
COMMENT ON TABLE saved_filter IS
    'dispatcher/desk/saved_filter_store.py. filter: the parameters of GET /api/v1/incidents; shared: everybody may use it';

CREATE POLICY read ON standard_text FOR SELECT TO patriot_desk USING (true);
CREATE POLICY write ON standard_text TO patriot_desk USING ((SELECT asker('role')) IN ('supervisor', 'admin'));
CREATE POLICY read ON saved_filter FOR SELECT TO patriot_desk USING (shared OR owner = (SELECT asker('name')));
CREATE POLICY write ON saved_filter TO patriot_desk USING (owner = (SELECT asker('name')))
    WITH CHECK (owner = (SELECT asker('name')) AND (NOT shared OR (SELECT asker('role')) IN ('supervisor', 'admin')));
ALTER TABLE standard_text ENABLE ROW LEVEL SECURITY;
ALTER TABLE saved_filter ENABLE ROW LEVEL SECURITY;

INSERT INTO standard_text (id, version, name, verb, category, language, body, updated_by) VALUES
    ('TXT-RESOLVED-ID', 1, 'Selesai', 'resolve', NULL, 'id',
     'Laporan Anda sudah kami tangani. Terima kasih telah melapor. Jika masalahnya masih ada, beri tahu kami dalam 14 hari.', 'migration'),
    ('TXT-RESOLVED-EN', 1, 'Done', 'resolve', NULL, 'en',
     'We have dealt with your report. Thank you for telling us. If the problem is still there, tell us within 14 days.', 'migration'),
    ('TXT-WASTE-ID', 1, 'Sampah sudah diangkut', 'resolve', 'illegal_dumping', 'id',
     'Sampah sudah diangkut dan lokasi dibersihkan.', 'migration'),
    ('TXT-WASTE-EN', 1, 'Waste removed', 'resolve', 'illegal_dumping', 'en',
     'The waste has been removed and the place was cleaned.', 'migration'),
    ('TXT-JAM-ID', 1, 'Lalu lintas lancar kembali', 'resolve', 'traffic_jam', 'id',
     'Lalu lintas di lokasi sudah lancar kembali.', 'migration'),
    ('TXT-JAM-EN', 1, 'Traffic flows again', 'resolve', 'traffic_jam', 'en',
     'Traffic flows again at this place.', 'migration'),
    ('TXT-UNCLEAR-ID', 1, 'Lokasi tidak jelas', 'reject', NULL, 'id',
     'Dari laporan ini kami tidak dapat menemukan lokasinya. Kirim laporan baru dengan alamat atau patokan yang lebih jelas.', 'migration'),
    ('TXT-UNCLEAR-EN', 1, 'Place not clear', 'reject', NULL, 'en',
     'We cannot find the place from this report. Please send a new one with a clearer address or landmark.', 'migration'),
    ('TXT-NOT-OURS-ID', 1, 'Bukan kewenangan', 'reject', NULL, 'id',
     'Hal ini bukan kewenangan pemerintah kota atau kabupaten.', 'migration'),
    ('TXT-NOT-OURS-EN', 1, 'Not ours to decide', 'reject', NULL, 'en',
     'This is not for the city or the regency to decide.', 'migration');
