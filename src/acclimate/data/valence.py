"""How good or bad single words sound: English words by the ratings of VADER, Chinese ones by a short list of our own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType

from acclimate.data.assets import fetch

_CHINESE_GOOD = """
好 棒 赞 优 美 佳 优秀 优质 优良 优美 优雅 优惠 良好 美好 完美 精彩 精美 精致 精良 精湛 漂亮 好看 好吃 好听 好用 好喝 好玩
好评 美丽 美味 迷人 喜欢 喜爱 热爱 爱 满意 高兴 开心 快乐 愉快 愉悦 幸福 舒服 舒适 舒心 惬意 温馨 温暖 温柔 贴心 热情 亲切
周到 细心 耐心 热心 友好 礼貌 真诚 诚恳 干净 整洁 清洁 清爽 清新 清晰 安静 宁静 宽敞 明亮 豪华 高档 气派 大方 便宜 实惠 划算
超值 值得 物美价廉 方便 便利 便捷 快捷 快速 迅速 及时 顺利 流畅 顺畅 稳定 可靠 耐用 结实 牢固 坚固 轻便 轻巧 小巧 齐全 完善
丰富 充实 有趣 风趣 幽默 生动 感人 感动 动人 震撼 经典 深刻 独特 新颖 实用 有用 推荐 支持 成功 进步 提高 提升 强大 强劲 出色
出众 卓越 一流 上乘 不错 专业 权威 正品 安全 放心 安心 健康 新鲜 鲜美 可口 惊喜 惊艳 给力 赏心悦目 爱不释手 受益匪浅 物超所值
引人入胜 乐观 积极 聪明 智慧 可爱 美妙 奇妙 伟大 杰出 高尚 善良 诚实 感谢 欣赏 享受 青睐 赞美 赞扬 称赞 表扬
"""
_CHINESE_BAD = """
坏 差 烂 糟 劣 丑 差劲 糟糕 恶劣 低劣 劣质 粗糙 粗劣 粗略 简陋 破旧 陈旧 破烂 难看 难吃 难听 难用 难喝 难闻 难受 难过 丑陋
讨厌 厌恶 恶心 恨 憎恨 失望 不满 生气 气愤 愤怒 恼火 郁闷 烦躁 烦人 痛苦 伤心 悲伤 悲哀 可悲 可怜 可恶 可恨 无聊 乏味 枯燥
沉闷 空洞 肤浅 平淡 平庸 啰嗦 罗嗦 冗长 脏 肮脏 脏乱 污秽 吵 吵闹 嘈杂 噪音 狭小 拥挤 阴暗 潮湿 发霉 霉味 臭 异味 漏水 冷淡
冷漠 敷衍 傲慢 粗鲁 粗暴 生硬 恶意 忽悠 欺骗 骗人 骗子 骗 假货 假 盗版 次品 伪劣 上当 坑人 坑 黑心 贵 昂贵 浪费 亏 后悔 麻烦
困难 繁琐 缓慢 迟钝 慢 卡顿 卡 死机 故障 毛病 缺陷 缺点 瑕疵 损坏 破损 坏掉 垃圾 废物 废品 失败 失误 错误 混乱 混淆 模糊 危险
有害 不值 不行 不好 不佳 投诉 抱怨 指责 批评 退货 退款 反对 拒绝 消极 悲观 愚蠢 笨 傻 弱智 虚假 虚伪 夸张 做作 牵强 老套 俗套
刺耳 刺眼 刺鼻 折腾 折磨 要命 崩溃 绝望 恐怖 可怕 严重 不堪 拖沓 拖延 漏洞 劝退 差评 鸡肋 偏僻 上火 反感
"""


@functools.cache
def english_valence() -> Mapping[str, float]:
    """English words, lower-case, to their mean rating by ten people, from -4 (very bad) to 4 (very good).

    Hutto and Gilbert, *VADER*, ICWSM 2014. Emoticons and words with signs in them are left out.

    Raises:
        RunError: the list has to be fetched and that failed.
    """
    content = (fetch("vader") / "vader_lexicon.txt").read_text(encoding="utf-8")
    rows = (row.split("\t") for row in content.splitlines() if row.strip())
    return MappingProxyType({row[0].lower(): float(row[1]) for row in rows if row[0].replace("-", "").replace("'", "").isalpha()})


@functools.cache
def chinese_valence() -> Mapping[str, float]:
    """Chinese words of praise (1) and of blame (-1); a short list for opinions of goods, places, books and people.

    >>> chinese_valence()["干净"], chinese_valence()["肮脏"]
    (1.0, -1.0)
    """
    signed = ((_CHINESE_GOOD, 1.0), (_CHINESE_BAD, -1.0))
    return MappingProxyType({word: sign for text, sign in signed for word in text.split()})
