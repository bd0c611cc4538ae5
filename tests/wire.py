"""One event as newsrooms tell it: an agency's text, what others make of it, and a report of their own."""

import random

AGENCY = (
    "Pemerintah Kabupaten Rawa Sekar mulai membangun tanggul sepanjang 4,2 kilometer di tepi Sungai Wening untuk "
    "melindungi tiga kecamatan dari banjir tahunan. Pekerjaan dimulai pada Senin dan ditargetkan selesai sebelum "
    "puncak musim hujan pada Februari mendatang.",
    "Kepala Dinas Pekerjaan Umum Rawa Sekar, Yosef Lamanda, mengatakan tanggul dibuat dari batu kali dan beton "
    "bertulang setinggi tiga meter. Bagian yang melewati permukiman dilengkapi tangga agar warga tetap mudah turun ke "
    "sungai.",
    "“Dua tahun terakhir air masuk sampai ke ruang kelas. Kami tidak mau anak-anak belajar di masjid lagi,” kata "
    "Yosef di lokasi pembangunan.",
    "Anggaran proyek itu mencapai Rp38,5 miliar, berasal dari kas daerah dan bantuan pemerintah provinsi. Sebanyak 120 "
    "pekerja dilibatkan, dan sebagian besar adalah warga dari desa-desa di sekitar sungai.",
    "Menurut catatan badan penanggulangan bencana setempat, banjir pada Januari lalu merendam 1.340 rumah dan memaksa "
    "lebih dari 5.000 orang mengungsi selama hampir dua pekan. Kerugian petani akibat sawah yang terendam ditaksir "
    "mencapai Rp12 miliar.",
    "Warga menyambut baik pembangunan tersebut, meskipun sebagian mempertanyakan nasib kebun sayur di bantaran. Marta "
    "Pelu, petani kangkung di Desa Tanjung Rindang, berharap ada ganti rugi yang layak bagi mereka yang kehilangan "
    "lahan.",
    "“Kami setuju ada tanggul, asal jangan kami yang menanggung semuanya,” ujar ibu dua anak itu.",
    "Pemerintah kabupaten berjanji mendata pemilik kebun sampai akhir bulan dan membayar ganti rugi paling lambat pada "
    "Desember. Lahan pengganti disiapkan di sebelah timur pasar lama, sekitar dua kilometer dari bantaran.",
)
OWN_REPORT = (
    "Tiga alat berat menderu di tepi Sungai Wening sejak pagi. Di sinilah, di belakang deretan rumah panggung Desa "
    "Tanjung Rindang, Pemkab Rawa Sekar memancang patok pertama tanggul yang sudah lama dijanjikan kepada warga.",
    "Bagi Marta Pelu, suara mesin itu membawa perasaan campur aduk. Kebun kangkungnya tepat berada di jalur proyek, "
    "dan hingga kemarin belum seorang pun petugas datang mengukur lahannya.",
    "“Saya dengar akan diganti, tetapi kapan dan berapa, tidak ada yang bisa menjawab,” katanya sambil memanen "
    "baris terakhir yang masih tersisa.",
    "Bupati sendiri belum bersedia ditemui. Lewat pesan singkat, stafnya menyebut pendataan sedang berjalan dan "
    "meminta warga bersabar sampai akhir bulan.",
    "Proyek senilai Rp38,5 miliar ini sempat tertunda dua kali, pertama karena sengketa lelang, lalu karena air sungai "
    "yang tidak kunjung surut pada pertengahan tahun.",
)
ANOTHER = (
    "Klub bulu tangkis Muara Lintang meloloskan empat pemain mudanya ke babak utama kejuaraan nasional yang digelar "
    "pekan depan. Keempatnya lolos setelah melewati babak kualifikasi tanpa kehilangan satu gim pun.",
    "Pelatih kepala, Ignatius Rampai, menilai hasil itu buah dari program latihan pagi yang dimulai setahun lalu. Para "
    "pemain berlatih sejak pukul lima sebelum berangkat ke sekolah.",
    "“Mereka tidak lebih berbakat daripada angkatan sebelumnya. Mereka hanya lebih disiplin,” ujar Ignatius seusai "
    "latihan di gedung olahraga kota.",
    "Undian babak utama akan dilakukan pada Jumat. Dua unggulan teratas dipastikan absen karena cedera, sehingga "
    "peluang pemain muda untuk melangkah jauh terbuka lebar.",
)


def html(*paragraphs: str) -> str:
    """Paragraphs as a newsroom's page has them."""
    return "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)


def edited(paragraphs: tuple[str, ...] = AGENCY) -> tuple[str, ...]:
    """As a careful desk leaves it: some words are its own."""
    swaps = {
        "mengatakan": "menuturkan",
        "tersebut": "itu",
        "paling lambat": "selambatnya",
        "Sebanyak 120": "Sekitar 120",
    }
    text = "\n".join(paragraphs)
    for old, new in swaps.items():
        text = text.replace(old, new)
    return tuple(text.split("\n"))


def long_text(paragraphs: int, *, seed: int = 1) -> tuple[str, ...]:
    """Paragraphs of 60 words that come in no order, the same for the same seed."""
    words = sorted({word for text in (*AGENCY, *OWN_REPORT, *ANOTHER) for word in text.split()})
    chance = random.Random(seed)
    return tuple(" ".join(chance.choices(words, k=60)) for _ in range(paragraphs))
